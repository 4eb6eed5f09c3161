# Installs the client into a folder of its own, and builds and runs the consumer against it.
#   cmake -D BUILD=... -D WORK=... -D COMPILER=... -D FLAGS=... -P run.cmake
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  message("${output}")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${result}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
file(READ ${CMAKE_CURRENT_LIST_DIR}/../../../README.md readme)
string(REGEX MATCH "```cpp\n([^`]*)```" example "${readme}")
file(WRITE ${WORK}/readme_example.cc "${CMAKE_MATCH_1}")
run(${CMAKE_COMMAND} --install ${BUILD} --component client --prefix ${WORK}/prefix)
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build -G Ninja -DCMAKE_PREFIX_PATH=${WORK}/prefix
    -DREADME_EXAMPLE=${WORK}/readme_example.cc -DCMAKE_CXX_COMPILER=${COMPILER} "-DCMAKE_CXX_FLAGS=${FLAGS}")
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/consumer)
