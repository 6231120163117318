# Programs in which the sources of the CUDA backend are compiled as C++ against a small emulation of
# CUDA (tests/cuda_emulation), so that the kernels are checked without a GPU:
#   test_cuda_emulation   the op cases, the systems' kernels
#   dmlgolden_emulated    dmlgolden with the emulated GPU as its cuda backend

# Links a program with all folders, the CUDA sources in their emulated form.
function(dml_link_emulated target)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:dml_cuda_emulated>)
  target_link_libraries(${target} PRIVATE dml_options)
  get_property(folders GLOBAL PROPERTY DML_OBJECT_FOLDERS)
  foreach(folder ${folders})
    # All objects but those that the program has in its own form; then what they link.
    target_sources(${target} PRIVATE
      "$<FILTER:$<TARGET_OBJECTS:${folder}>,EXCLUDE,(engine/device\\.cpp|\\.cu)\\.o$>")
    get_target_property(libraries ${folder} LINK_LIBRARIES)
    list(FILTER libraries EXCLUDE REGEX "^(dml_[a-z_]+|::@.*)$")
    target_link_libraries(${target} PRIVATE ${libraries})
  endforeach()
endfunction()

function(dml_cuda_emulation directory)
  file(GLOB_RECURSE kernels CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} engine/*.cu ops/*.cu nets/*.cu dml/*.cu)
  list(REMOVE_ITEM kernels engine/cuda/cudnn_graph.cu)  # cuDNN itself is stood in for
  set(sources ${PROJECT_SOURCE_DIR}/engine/device.cpp)
  foreach(kernel ${kernels})
    set(wrapper ${PROJECT_BINARY_DIR}/emulation/${kernel}.cpp)
    file(CONFIGURE OUTPUT ${wrapper} CONTENT "#include \"${kernel}\"\n")
    list(APPEND sources ${wrapper})
  endforeach()
  set_source_files_properties(engine/device.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  add_library(dml_cuda_emulated OBJECT ${sources} ${directory}/fibers.cpp ${directory}/libraries.cpp)
  target_link_libraries(dml_cuda_emulated PRIVATE dml_options)
  file(GLOB cases CONFIGURE_DEPENDS tests/ops/*_test.cpp)
  list(FILTER cases EXCLUDE REGEX "/every_op_test\\.cpp$")
  file(GLOB helpers CONFIGURE_DEPENDS tests/*.cpp)
  add_executable(test_cuda_emulation ${cases} ${helpers} ${directory}/parity.cpp ${directory}/systems.cpp)
  target_link_libraries(test_cuda_emulation PRIVATE doctest::doctest)
  add_executable(dmlgolden_emulated $<TARGET_OBJECTS:dmlgolden> $<TARGET_OBJECTS:dml_app>)
  set_target_properties(dmlgolden_emulated PROPERTIES LINKER_LANGUAGE CXX)
  foreach(target dml_cuda_emulated test_cuda_emulation dmlgolden_emulated)
    set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
    target_include_directories(${target} BEFORE PRIVATE ${directory})
    target_compile_definitions(${target} PRIVATE DML_CUDA)
    # Warnings about these sources are nvcc's matter.
    target_compile_options(${target} PRIVATE -O1 -w)
  endforeach()
  dml_link_emulated(test_cuda_emulation)
  dml_link_emulated(dmlgolden_emulated)
  doctest_discover_tests(test_cuda_emulation TEST_PREFIX "cuda_emulation: " PROPERTIES TIMEOUT 600)
endfunction()
