# How a folder becomes a target, and a folder of tests a suite.

# tocsin_room(FOLDER [USES rooms…] [LIBRARIES names…] [SOURCES …] [HEADERS …])
# All *.cc and *.h below FOLDER, unless SOURCES or HEADERS say which. A room
# without sources is an interface. Protobuf messages (*.proto) are compiled in.
function(tocsin_room folder)
  cmake_parse_arguments(ARG "" "" "USES;LIBRARIES;SOURCES;HEADERS" ${ARGN})
  string(REPLACE "/" "_" target "tocsin_${folder}")
  if(NOT ARG_SOURCES AND NOT ARG_HEADERS)
    file(GLOB_RECURSE ARG_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cc)
    file(GLOB_RECURSE ARG_HEADERS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.h)
    file(GLOB_RECURSE protos CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.proto)
  endif()
  if(protos)
    find_package(Protobuf REQUIRED)
    foreach(proto IN LISTS protos)
      file(RELATIVE_PATH relative ${CMAKE_SOURCE_DIR} ${proto})
      string(REGEX REPLACE "\\.proto$" ".pb" stem ${CMAKE_BINARY_DIR}/generated/${relative})
      add_custom_command(
        OUTPUT ${stem}.cc ${stem}.h
        COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
        COMMAND protobuf::protoc --cpp_out=lite:${CMAKE_BINARY_DIR}/generated
                -I ${CMAKE_SOURCE_DIR} ${relative}
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
        DEPENDS ${proto})
      list(APPEND generated ${stem}.cc)
    endforeach()
  endif()
  set(uses ${ARG_USES})
  list(TRANSFORM uses REPLACE "/" "_")
  list(TRANSFORM uses PREPEND "tocsin::")
  set(libraries ${ARG_LIBRARIES})
  list(TRANSFORM libraries PREPEND "lib::")
  if(ARG_SOURCES)
    foreach(source IN LISTS ARG_SOURCES)
      if(NOT EXISTS ${source} AND NOT EXISTS ${CMAKE_SOURCE_DIR}/${source})
        list(REMOVE_ITEM ARG_SOURCES ${source})
      endif()
    endforeach()
  endif()
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES} ${generated})
    target_link_libraries(${target} PUBLIC ${uses} PRIVATE tocsin_options ${libraries})
    tocsin_use_standard_headers(${target})
    if(generated)
      target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/generated)
    endif()
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE ${uses})
  endif()
  string(REPLACE "/" "_" alias "tocsin::${folder}")
  add_library(${alias} ALIAS ${target})
  set_property(GLOBAL APPEND PROPERTY TOCSIN_ROOMS ${folder})
  set_property(GLOBAL APPEND PROPERTY TOCSIN_HEADERS ${ARG_HEADERS})
  string(REPLACE ";" "," uses_text "${ARG_USES}")
  set_property(GLOBAL APPEND PROPERTY TOCSIN_LAYERS "${folder}=${uses_text}")
endfunction()

# tocsin_test(NAME LABEL SOURCES… [USES rooms…] [TIMEOUT seconds] [SERIAL])
# One GoogleTest program; each of its tests is one of ctest's. Tests of real servers
# wait most of their time: of them twice as many run at once (`./dev test` gives ctest
# two places for each processor).
function(tocsin_test name label)
  cmake_parse_arguments(ARG "SERIAL" "TIMEOUT" "SOURCES;USES" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set(uses ${ARG_USES})
  list(TRANSFORM uses REPLACE "/" "_")
  list(TRANSFORM uses PREPEND "tocsin::")
  add_executable(${name} ${ARG_SOURCES})
  tocsin_use_test_headers(${name})
  target_link_libraries(${name} PRIVATE
    tocsin_options ${uses} tocsin::tests_support GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    TOCSIN_SOURCE_DIR="${CMAKE_SOURCE_DIR}" TOCSIN_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set(places 2)
  if(label STREQUAL "integration")
    set(places 1)
  endif()
  set(properties LABELS ${label} TIMEOUT ${ARG_TIMEOUT} PROCESSORS ${places})
  if(ARG_SERIAL)
    list(APPEND properties RUN_SERIAL TRUE)
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${label}/" DISCOVERY_MODE PRE_TEST
    PROPERTIES ${properties})
endfunction()
