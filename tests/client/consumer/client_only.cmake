# Builds the client library alone where nothing but gRPC, protobuf and Abseil is found, and the consumer against it: the
# static library, then the shared one, whose consumers need to find Abseil only.
#   cmake -D SOURCE=... -D WORK=... -D COMPILER=... -P client_only.cmake
include(${CMAKE_CURRENT_LIST_DIR}/consume.cmake)

# OpenSSL, zlib and pkg-config are asked for by gRPC's own package.
set(hidden "")
foreach(package CLI11 CURL GTest LibTorch Python3 civetweb hwy nlohmann_json prometheus-cpp spdlog)
  list(APPEND hidden -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
endforeach()
file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build -G Ninja ${hidden} -DHEARWIRE_CLIENT_ONLY=ON
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=${COMPILER})
file(STRINGS ${WORK}/build/CMakeCache.txt found REGEX "^(SNDFILE|SOXR|MPG123|VORBIS|OPUS)[A-Z_]*_FOUND")
if(found)
  message(FATAL_ERROR "libraries of the server were looked for: ${found}")
endif()
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${CMAKE_COMMAND} --install ${WORK}/build --prefix ${WORK}/prefix)
if(EXISTS ${WORK}/prefix/bin)
  message(FATAL_ERROR "a program was built")
endif()
consume_by_pkg_config(${WORK}/prefix)

run(${CMAKE_COMMAND} -DHEARWIRE_SHARED_CLIENT=ON ${WORK}/build)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${CMAKE_COMMAND} --install ${WORK}/build --prefix ${WORK}/shared)
set(library ${WORK}/shared/lib/libhearwire_client.so)
# The library's binary interface, as far as names show it. What is new is added to the file (the lines with > below); what
# is gone or has changed (<) breaks programs that are built already, and needs another minor version of the project.
run(sh -c "nm -DC --defined-only $1 | grep -v ' A ' | sed -E -e 's/^[0-9a-f]+ . //' -e 's/absl::(debian3|lts_[0-9]+)::/absl::/g' |
  LC_ALL=C sort -u | diff $2 - >&2" sh ${library} ${CMAKE_CURRENT_LIST_DIR}/exported_symbols.txt)
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/consumer -G Ninja -DCMAKE_PREFIX_PATH=${WORK}/shared
    -DCMAKE_DISABLE_FIND_PACKAGE_gRPC=ON -DCMAKE_DISABLE_FIND_PACKAGE_Protobuf=ON -DCMAKE_CXX_COMPILER=${COMPILER})
run(${CMAKE_COMMAND} --build ${WORK}/consumer)
run(${WORK}/consumer/consumer)
consume_by_pkg_config(${WORK}/shared)
execute_process(COMMAND objdump -p ${WORK}/by_pkg_config OUTPUT_VARIABLE needed COMMAND_ERROR_IS_FATAL ANY)
if(NOT needed MATCHES "NEEDED +libhearwire_client.so.[0-9]+.[0-9]+\n" OR needed MATCHES "libprotobuf|libgrpc")
  message(FATAL_ERROR "the program needs other libraries than the client's, or not that by its version:\n${needed}")
endif()
