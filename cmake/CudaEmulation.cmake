# A test program in which the sources of the CUDA backend are compiled as C++ against a small
# emulation of CUDA (tests/cuda_emulation): the op cases then check the kernels without a GPU.
function(dml_cuda_emulation directory)
  file(GLOB_RECURSE kernels CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} engine/*.cu ops/*.cu nets/*.cu dml/*.cu)
  list(REMOVE_ITEM kernels engine/cuda/cudnn_graph.cu)  # cuDNN itself is stood in for
  set(sources ${PROJECT_SOURCE_DIR}/engine/device.cpp)
  foreach(kernel ${kernels})
    set(wrapper ${PROJECT_BINARY_DIR}/emulation/${kernel}.cpp)
    file(CONFIGURE OUTPUT ${wrapper} CONTENT "#include \"${kernel}\"\n")
    list(APPEND sources ${wrapper})
  endforeach()
  file(GLOB emulation CONFIGURE_DEPENDS ${directory}/*.cpp)
  file(GLOB cases CONFIGURE_DEPENDS tests/ops/*_test.cpp)
  list(FILTER cases EXCLUDE REGEX "/every_op_test\\.cpp$")
  file(GLOB helpers CONFIGURE_DEPENDS tests/*.cpp)
  set_source_files_properties(engine/device.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  add_executable(test_cuda_emulation ${sources} ${emulation} ${cases} ${helpers})
  set_target_properties(test_cuda_emulation PROPERTIES UNITY_BUILD OFF)
  target_include_directories(test_cuda_emulation BEFORE PRIVATE ${directory})
  target_compile_definitions(test_cuda_emulation PRIVATE DML_CUDA)
  # Warnings about these sources are nvcc's matter.
  target_compile_options(test_cuda_emulation PRIVATE -O1 -w)
  target_link_libraries(test_cuda_emulation PRIVATE dml_options doctest::doctest)
  get_property(folders GLOBAL PROPERTY DML_OBJECT_FOLDERS)
  foreach(folder ${folders})
    # All objects but those that this program has in its own form; then what they link.
    target_sources(test_cuda_emulation PRIVATE
      "$<FILTER:$<TARGET_OBJECTS:${folder}>,EXCLUDE,(engine/device\\.cpp|\\.cu)\\.o$>")
    get_target_property(libraries ${folder} LINK_LIBRARIES)
    list(FILTER libraries EXCLUDE REGEX "^(dml_[a-z_]+|::@.*)$")
    target_link_libraries(test_cuda_emulation PRIVATE ${libraries})
  endforeach()
  doctest_discover_tests(test_cuda_emulation TEST_PREFIX "cuda_emulation: " PROPERTIES TIMEOUT 600)
endfunction()
