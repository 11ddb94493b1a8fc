# What every target is compiled with; the presets choose among these.

option(TOCSIN_WERROR "Warnings are errors" OFF)
option(TOCSIN_HARDENED "Hardening flags of a release" OFF)
option(TOCSIN_TESTS "Build the tests" ON)
set(TOCSIN_SANITIZE "" CACHE STRING "-fsanitize= list, empty for none")

add_library(tocsin_options INTERFACE)
target_include_directories(tocsin_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(tocsin_options INTERFACE
  -Wall -Wextra -Wno-missing-field-initializers -Wnon-virtual-dtor -Wcast-qual
  -Wimplicit-fallthrough -Woverloaded-virtual)
if(TOCSIN_WERROR)
  target_compile_options(tocsin_options INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(tocsin_options INTERFACE -Wthread-safety)
endif()
if(TOCSIN_HARDENED)
  target_compile_options(tocsin_options INTERFACE
    -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 -fPIE)
  target_link_options(tocsin_options INTERFACE -pie -Wl,-z,relro,-z,now)
endif()
if(TOCSIN_SANITIZE)
  target_compile_options(tocsin_options INTERFACE
    -fsanitize=${TOCSIN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(tocsin_options INTERFACE -fsanitize=${TOCSIN_SANITIZE})
endif()
