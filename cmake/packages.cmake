# Debian packages of what is installed, by cpack: scripts/packages. A package for each component.

# package_component(COMPONENT PACKAGE SECTION DESCRIPTION [DEPENDS …] [SUGGESTS …] [LIBRARIES]): LIBRARIES: has programs or libraries, whose
# own libraries' packages become dependencies.
function(package_component component package section description)
  cmake_parse_arguments(P "LIBRARIES" "DEPENDS;SUGGESTS" "" ${ARGN})
  install(FILES ${PROJECT_BINARY_DIR}/copyright DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/${package} COMPONENT ${component})
  string(TOUPPER ${component} key)
  foreach(pair "NAME=${package}" "SECTION=${section}" "DEPENDS=${P_DEPENDS}" "SUGGESTS=${P_SUGGESTS}" "SHLIBDEPS=${P_LIBRARIES}")
    string(REGEX MATCH "^([A-Z]+)=(.*)" pair "${pair}")
    set(CPACK_DEBIAN_${key}_PACKAGE_${CMAKE_MATCH_1} "${CMAKE_MATCH_2}" PARENT_SCOPE)
  endforeach()
  set(CPACK_COMPONENT_${key}_DESCRIPTION "${PROJECT_DESCRIPTION}\n${description}" PARENT_SCOPE)
  set(CPACK_COMPONENTS_ALL ${CPACK_COMPONENTS_ALL} ${component} PARENT_SCOPE)
endfunction()

file(READ ${PROJECT_SOURCE_DIR}/NOTICE notice)
file(READ ${PROJECT_SOURCE_DIR}/LICENSE license)
file(WRITE ${PROJECT_BINARY_DIR}/copyright "${notice}\n\n${license}")

set(CPACK_COMPONENTS_ALL "")
package_component(server hearwire-server sound "The server, with its systemd unit." SUGGESTS hearwire LIBRARIES)
package_component(command hearwire sound "The command hearwire, which asks a server, and the load generator hearwire-load." SUGGESTS hearwire-server LIBRARIES)
set(headers_of "libabsl-dev")
if(HEARWIRE_SHARED_CLIENT)
  set(runtime libhearwire-client${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  package_component(library ${runtime} libs "The C++ client's shared library." LIBRARIES)
  string(APPEND headers_of ", ${runtime} (= ${PROJECT_VERSION}-1)")
else()
  string(APPEND headers_of ", libgrpc++-dev, libprotobuf-dev")
endif()
package_component(client libhearwire-client-dev libdevel "The C++ client for programs that are built with it." DEPENDS "${headers_of}")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME hearwire)
set(CPACK_PACKAGE_VENDOR Hearwire)
set(CPACK_PACKAGE_CONTACT "The Hearwire authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Audio embeddings over gRPC")
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)  # And the trigger of ldconfig.
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA
    ${PROJECT_SOURCE_DIR}/deploy/debian/postinst ${PROJECT_SOURCE_DIR}/deploy/debian/prerm ${PROJECT_SOURCE_DIR}/deploy/debian/postrm)
set(CPACK_STRIP_FILES ON)
# The unit names the program by the prefix, which without DESTDIR would be cpack's own folder.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
include(CPack)
