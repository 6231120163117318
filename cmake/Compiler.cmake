# Language level, warnings, optimisation, compiler cache, sanitizers.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(DML_CCACHE ccache)
if(DML_CCACHE)
  # Depend mode trusts the compiler's list of headers instead of preprocessing every file first.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_DEPEND=1 ${DML_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${launcher})
endif()

# Carried by every target of ours, never by tests of the compiler or by dependencies.
add_library(dml_options INTERFACE)
target_include_directories(dml_options INTERFACE ${PROJECT_SOURCE_DIR})
# In a unit of several files (CMAKE_UNITY_BUILD) names of one file's own may be hidden in the next.
set(warnings -Wall -Wextra -Wconversion -Wshadow$<$<BOOL:${CMAKE_UNITY_BUILD}>:=local> -Wnon-virtual-dtor)
# GCC 12 warns of overlapping copies in `"text" + string` that cannot be (its bug 105329).
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND warnings -Wno-restrict)
endif()
if(DML_WERROR)
  list(APPEND warnings -Werror)
endif()
# errno and traps of the maths library are never looked at; both keep loops from being vectorised.
set(maths -fno-math-errno -fno-trapping-math)
if(DML_NATIVE)
  list(APPEND maths -march=native)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    list(APPEND maths -mprefer-vector-width=512)
  endif()
endif()
target_compile_options(dml_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${warnings};${maths}>)
if(DML_SANITIZE)
  # Sanitizers see through threads of our own, not into OpenMP's runtime (engine/cpu/parallel.cpp).
  target_compile_options(dml_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp-simd>)
  target_compile_definitions(dml_options INTERFACE DML_OWN_THREADS)
  target_compile_options(dml_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${DML_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>)
  target_link_options(dml_options INTERFACE -fsanitize=${DML_SANITIZE})
else()
  target_compile_options(dml_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
endif()
if(CMAKE_BUILD_TYPE STREQUAL Release)
  string(REPLACE "-O2" "-O3" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
endif()
