# What the tests of the installed client share. WORK is their folder, COMPILER and FLAGS are the build's.

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  message("${output}")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${result}")
  endif()
endfunction()

# Builds and runs the consumer with what pkg-config says of the client in a folder, which is moved before: it may be
# unpacked anywhere.
function(consume_by_pkg_config prefix)
  find_program(PKG_CONFIG pkg-config REQUIRED)
  file(REMOVE_RECURSE ${WORK}/moved)
  file(RENAME ${prefix} ${WORK}/moved)
  file(GLOB_RECURSE file ${WORK}/moved/hearwire.pc)
  cmake_path(GET file PARENT_PATH folder)
  set(ENV{PKG_CONFIG_PATH} ${folder})
  execute_process(COMMAND ${PKG_CONFIG} --cflags --libs hearwire OUTPUT_VARIABLE words COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(words UNIX_COMMAND "${words}")
  run(${COMPILER} -std=c++20 ${FLAGS} ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/consumer.cc -o ${WORK}/by_pkg_config ${words})
  # Of a shared library; nothing to a static one.
  cmake_path(GET folder PARENT_PATH libraries)
  set(ENV{LD_LIBRARY_PATH} ${libraries})
  run(${WORK}/by_pkg_config)
endfunction()
