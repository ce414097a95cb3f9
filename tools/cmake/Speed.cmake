find_program(CELLMILL_CCACHE ccache)
if(CELLMILL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CELLMILL_CCACHE})
endif()
find_program(CELLMILL_MOLD mold)
if(CELLMILL_MOLD)
  # mold 1.10 begins RELRO at a .tbss of one byte that may lie in the page before its segment: no such program starts
  # ("cannot apply additional memory protection after relocation").
  add_link_options(-B/usr/libexec/mold -Wl,-z,norelro)
endif()
