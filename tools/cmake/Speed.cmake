find_program(CELLMILL_CCACHE ccache)
if(CELLMILL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CELLMILL_CCACHE})
endif()

# ATen's headers are half of what a file with tensors costs the compiler: read once for the targets that call this.
# g++ takes them only where -fopenmp is the same.
function(cellmill_precompile_tensors)  # TARGET ...
  foreach(target ${ARGN})
    target_link_libraries(${target} PRIVATE LibTorch::openmp)
    target_precompile_headers(${target} REUSE_FROM tensor_headers)
    # ccache asks for the one; the other warns falsely of strings (gcc bug 105329) now that their header is no longer a system's.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess -Wno-array-bounds>)
  endforeach()
endfunction()

find_program(CELLMILL_MOLD mold)
if(CELLMILL_MOLD)
  # mold 1.10 begins RELRO at a .tbss of one byte that may lie in the page before its segment: no such program starts
  # ("cannot apply additional memory protection after relocation").
  add_link_options(-B/usr/libexec/mold -Wl,-z,norelro)
endif()
