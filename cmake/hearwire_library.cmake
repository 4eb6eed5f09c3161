# hearwire_library(NAME [HDRS ...] [SRCS ...] [DEPS ...] [PRIVATE_DEPS ...])
#
# One folder, one target, every edge written down. Makes the static library hearwire_NAME (an interface library without
# SRCS) with the alias hearwire::NAME. Paths in HDRS and SRCS are relative to the folder; headers are included by their
# path from the top of the repository.
function(hearwire_library name)
  cmake_parse_arguments(LIB "" "" "HDRS;SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(LIB_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "hearwire_library(${name}): what is ${LIB_UNPARSED_ARGUMENTS}?")
  endif()
  if(LIB_SRCS)
    add_library(hearwire_${name} STATIC ${LIB_SRCS})
    set(scope PUBLIC)
    target_link_libraries(hearwire_${name} PRIVATE $<BUILD_INTERFACE:hearwire_flags> ${LIB_PRIVATE_DEPS})
  else()
    add_library(hearwire_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_sources(hearwire_${name} ${scope} FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${LIB_HDRS})
  target_link_libraries(hearwire_${name} ${scope} ${LIB_DEPS})
  add_library(hearwire::${name} ALIAS hearwire_${name})
endfunction()

# hearwire_test(NAME SRCS ... [DEPS ...] [TIMEOUT seconds] [LABELS ...])
#
# A GoogleTest program tests/.../NAME, run as one CTest test; under an emulator it has four times as long. It finds
# golden data through HEARWIRE_SHARED, and the repository itself through the compile definition HEARWIRE_SOURCE_DIR.
function(hearwire_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT" "SRCS;DEPS;LABELS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 300)
  endif()
  if(CMAKE_CROSSCOMPILING_EMULATOR)
    math(EXPR TEST_TIMEOUT "4 * ${TEST_TIMEOUT}")
  endif()
  add_executable(${name} ${TEST_SRCS})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE HEARWIRE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE hearwire_flags ${TEST_DEPS} GTest::gmock_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABELS}")
endfunction()
