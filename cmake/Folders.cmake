# One target per folder. Folders are OBJECT libraries: a static library would drop the files that
# only register something (kernels, losses, nets).

# Loops over elements stand in folders and get -O3; tools and tests call them, and are compiled for
# a quick build.
set(quick -O1)

# Where results are promised bit for bit, a product and a sum round twice, as they are written.
set_source_files_properties(data/normalize.cpp data/image/resample.cpp
  data/datasets/shape_painter.cpp
  PROPERTIES COMPILE_OPTIONS -ffp-contract=off)

# dml_cuda_units(SOURCES NAME): replaces CUDA sources by units of several, where CMAKE_UNITY_BUILD
# says so; CMake 3.25 does this for C++ alone, and nvcc needs longest for the headers.
function(dml_cuda_units variable name)
  if(NOT CMAKE_UNITY_BUILD)
    return()
  endif()
  set(units "")
  set(unit 0)
  set(left ${${variable}})
  while(left)
    list(SUBLIST left 0 ${CMAKE_UNITY_BUILD_BATCH_SIZE} batch)
    list(REMOVE_ITEM left ${batch})
    list(TRANSFORM batch REPLACE "(.+)" "#include \"\\1\"\n" OUTPUT_VARIABLE text)
    list(JOIN text "" text)
    set(file ${PROJECT_BINARY_DIR}/units/${name}_${unit}.cu)
    file(CONFIGURE OUTPUT ${file} CONTENT "${text}" @ONLY)
    list(APPEND units ${file})
    math(EXPR unit "${unit} + 1")
  endwhile()
  set(${variable} ${units} PARENT_SCOPE)
endfunction()

# dml_folder(NAME [USES folder...] [LIBRARIES ...]): all sources below NAME.
function(dml_folder name)
  cmake_parse_arguments(ARG "" "" "USES;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${name}/*.cpp)
  if(DML_HAS_CUDA)
    file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS ${name}/*.cu)
    dml_cuda_units(cuda_sources ${name})
    list(APPEND sources ${cuda_sources})
  endif()
  if(NOT sources)
    add_library(dml_${name} INTERFACE)
    target_link_libraries(dml_${name} INTERFACE dml_options)
    foreach(used ${ARG_USES})
      target_link_libraries(dml_${name} INTERFACE dml_${used})
    endforeach()
    return()
  endif()
  add_library(dml_${name} OBJECT ${sources})
  # Files of one kernel name their functions alike; all others can share a unit (CMAKE_UNITY_BUILD).
  set(kernels ${sources})
  list(FILTER kernels INCLUDE REGEX "_(cpu|reference)\\.cpp$")
  set_source_files_properties(${kernels} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_link_libraries(dml_${name} PUBLIC dml_options ${ARG_LIBRARIES})
  if(DML_HAS_CUDA)
    target_link_libraries(dml_${name} PUBLIC dml_cuda)
  endif()
  foreach(used ${ARG_USES})
    target_link_libraries(dml_${name} PUBLIC dml_${used})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY DML_OBJECT_FOLDERS dml_${name})
endfunction()

# Links a program with all folders. Objects of OBJECT libraries are linked only where they are
# named directly, so every one is.
function(dml_link target)
  get_property(folders GLOBAL PROPERTY DML_OBJECT_FOLDERS)
  target_link_libraries(${target} PRIVATE ${folders} dml_options)
endfunction()

# dml_tools(DIR): DIR/<tool>.cpp is the program <tool>; app.cpp and sub-folders belong to all.
function(dml_tools directory)
  file(GLOB tools CONFIGURE_DEPENDS ${directory}/*.cpp)
  file(GLOB_RECURSE common CONFIGURE_DEPENDS ${directory}/*/*.cpp)
  list(FILTER tools EXCLUDE REGEX "/app\\.cpp$")
  if(EXISTS ${PROJECT_SOURCE_DIR}/${directory}/app.cpp)
    list(APPEND common ${PROJECT_SOURCE_DIR}/${directory}/app.cpp)
  endif()
  if(common)
    add_library(dml_app OBJECT ${common})
    target_link_libraries(dml_app PUBLIC dml_options dml_dml dml_weights_convert CLI11::CLI11)
    target_compile_options(dml_app PRIVATE ${quick})
    # Named for the one file that needs it: the others compile alike in every clone (ccache).
    set_source_files_properties(${directory}/training/presets.cpp PROPERTIES COMPILE_DEFINITIONS
      "DML_PRESET_DIR=\"${PROJECT_SOURCE_DIR}/${directory}/presets\"")
    set_source_files_properties(${directory}/app.cpp PROPERTIES COMPILE_DEFINITIONS
      "DML_VERSION=\"${PROJECT_VERSION}\"")
  endif()
  foreach(source ${tools})
    get_filename_component(tool ${source} NAME_WE)
    add_executable(${tool} ${source})
    dml_link(${tool})
    target_compile_options(${tool} PRIVATE ${quick})
    if(common)
      target_link_libraries(${tool} PRIVATE dml_app)
    endif()
    set_property(GLOBAL APPEND PROPERTY DML_TOOLS ${tool})
    install(TARGETS ${tool} RUNTIME DESTINATION bin)
  endforeach()
endfunction()

# dml_bench(DIR): DIR/<name>.cpp is the program <name>.
function(dml_bench directory)
  file(GLOB programs CONFIGURE_DEPENDS ${directory}/*.cpp)
  foreach(source ${programs})
    get_filename_component(program ${source} NAME_WE)
    add_executable(${program} ${source})
    dml_link(${program})
    if(TARGET dml_app)
      target_link_libraries(${program} PRIVATE CLI11::CLI11)
    endif()
  endforeach()
endfunction()

# dml_golden(DIR): all of DIR/*.cpp is the program dmlgolden, which runs reference vectors.
# The test runs it on DIR/vectors and, where the folder is there, on DML_GOLDEN_DIR.
function(dml_golden directory)
  file(GLOB sources CONFIGURE_DEPENDS ${directory}/*.cpp)
  add_executable(dmlgolden ${sources})
  dml_link(dmlgolden)
  target_link_libraries(dmlgolden PRIVATE CLI11::CLI11)
  if(TARGET dml_app)
    target_link_libraries(dmlgolden PRIVATE dml_app)
  endif()
  target_compile_options(dmlgolden PRIVATE ${quick})
  set_target_properties(dmlgolden PROPERTIES UNITY_BUILD OFF)
  set(DML_GOLDEN_DIR ${PROJECT_SOURCE_DIR}/../shared/golden CACHE PATH "More reference vectors, one folder per group")
  set(places ${PROJECT_SOURCE_DIR}/${directory}/vectors)
  foreach(group accuracy distances divide_conquer group_loss intra_batch lm_metric losses metrics miners ops optim
                proxy radam rcdml reducers regularizers revisiting softmax_ce)
    if(EXISTS ${DML_GOLDEN_DIR}/${group})
      list(APPEND places ${DML_GOLDEN_DIR}/${group})
    endif()
  endforeach()
  # Of the nets one small picture each: larger ones take minutes on the reference backend.
  file(GLOB nets ${DML_GOLDEN_DIR}/nets/resnet18_*64*.safetensors ${DML_GOLDEN_DIR}/nets/bn_inception_eval64.safetensors)
  add_test(NAME golden COMMAND dmlgolden ${places} ${nets})
  set_tests_properties(golden PROPERTIES TIMEOUT 300)
endfunction()

# dml_tests(DIR): DIR/<folder>/*_test.cpp become the program test_<folder>; DIR/golden/*.cpp the
# runner dmlgolden. tests/*.cpp are helpers of all.
function(dml_tests directory)
  find_package(doctest QUIET)
  include(doctest)
  file(GLOB helpers CONFIGURE_DEPENDS ${directory}/*.cpp)
  file(GLOB folders LIST_DIRECTORIES true CONFIGURE_DEPENDS ${directory}/*)
  set_source_files_properties(${directory}/places.cpp PROPERTIES COMPILE_DEFINITIONS
    "DML_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\";DML_BINARY_DIR=\"${PROJECT_BINARY_DIR}\"")
  get_property(tools GLOBAL PROPERTY DML_TOOLS)
  find_package(Python3 QUIET COMPONENTS Interpreter)
  dml_golden(${directory}/golden)
  foreach(check check_layers size_budget check_docs)
    add_test(NAME "source: ${check}" COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/${check}.py)
  endforeach()
  # What other programs say of our files. A script ends with 77 where its library is not there,
  # which ctest shows as skipped.
  set(DML_PYTHON ${Python3_EXECUTABLE} CACHE FILEPATH "Python for tests/python; one with torch and tensorboard runs them all")
  file(GLOB scripts CONFIGURE_DEPENDS ${directory}/python/*.py)
  foreach(script ${scripts})
    get_filename_component(name ${script} NAME_WE)
    add_test(NAME "python: ${name}" COMMAND ${DML_PYTHON} ${script} ${PROJECT_BINARY_DIR})
    set_tests_properties("python: ${name}" PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
  endforeach()
  foreach(folder ${folders})
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*_test.cpp)
    if(NOT IS_DIRECTORY ${folder} OR NOT sources)
      continue()
    endif()
    get_filename_component(name ${folder} NAME)
    set(program test_${name})
    add_executable(${program} ${sources} ${helpers})
    dml_link(${program})
    target_link_libraries(${program} PRIVATE doctest::doctest)
    if(TARGET dml_app)
      target_link_libraries(${program} PRIVATE dml_app)
    endif()
    target_compile_options(${program} PRIVATE ${quick})
    set_target_properties(${program} PROPERTIES UNITY_BUILD OFF)  # tests name their helpers alike
    target_compile_definitions(${program} PRIVATE DOCTEST_CONFIG_SUPER_FAST_ASSERTS)
    doctest_discover_tests(${program} TEST_PREFIX "${name}: " PROPERTIES TIMEOUT 600)
    if(tools AND name STREQUAL "apps")  # the only tests that start the tools
      add_dependencies(${program} ${tools})
    endif()
  endforeach()
endfunction()
