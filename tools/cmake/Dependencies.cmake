# Every foreign library, once, with its reason. Debian's packages unless another place is named; tools/setup installs them.
find_package(Threads REQUIRED)
if(NOT CELLMILL_FUZZ)
  find_package(LibTorch REQUIRED)                            # tensors, autograd, fused Adam; PyPI wheel torch==2.11.0
  find_package(MPI REQUIRED COMPONENTS CXX)                  # the world of ranks: libopenmpi-dev
endif()
find_package(HDF5 REQUIRED COMPONENTS C)                     # checkpoints, label codes, h5ad: libhdf5-dev
find_package(Boost REQUIRED COMPONENTS program_options)      # command line: libboost-program-options-dev
find_package(yaml-cpp REQUIRED)                              # run files: libyaml-cpp-dev
find_package(spdlog REQUIRED)                                # log and text formatting: libspdlog-dev, libfmt-dev
find_package(nlohmann_json REQUIRED)                         # manifests, metrics, vocabularies: nlohmann-json3-dev
find_package(Catch2 2 REQUIRED)                              # tests: catch2
find_library(DEFLATE_LIBRARY deflate REQUIRED)               # npz members, PNG, CRC-32: libdeflate-dev
find_path(XXHASH_INCLUDE xxhash.h REQUIRED)                  # digests (XXH3, header only): libxxhash-dev

# The static HDF5 where there is one: Debian's shared one loads curl, OpenSSL, Kerberos and LDAP, 30 files, at every start.
find_library(HDF5_ARCHIVE NAMES libhdf5.a HINTS ${HDF5_C_LIBRARY_DIRS} ${HDF5_LIBRARY_DIRS} PATH_SUFFIXES hdf5/serial)
find_library(SZIP_LIBRARY NAMES sz)
find_package(ZLIB)
add_library(foreign_hdf5 INTERFACE)
if(HDF5_ARCHIVE AND SZIP_LIBRARY AND ZLIB_FOUND)
  target_link_libraries(foreign_hdf5 INTERFACE ${HDF5_ARCHIVE} ${SZIP_LIBRARY} ZLIB::ZLIB Threads::Threads ${CMAKE_DL_LIBS} m)
else()
  target_link_libraries(foreign_hdf5 INTERFACE ${HDF5_C_LIBRARIES})
endif()
target_include_directories(foreign_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
add_library(foreign_deflate INTERFACE)
target_link_libraries(foreign_deflate INTERFACE ${DEFLATE_LIBRARY})
add_library(foreign_mpi INTERFACE)
target_link_libraries(foreign_mpi INTERFACE MPI::MPI_CXX)
target_compile_definitions(foreign_mpi INTERFACE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)

# The service. HTTP is Boost.Beast's (headers): libboost-dev
find_package(OpenSSL REQUIRED)                               # TLS, digests of tokens: libssl-dev
find_package(SQLite3 REQUIRED)                               # jobs that survive a restart: libsqlite3-dev
find_package(simdjson REQUIRED)                              # tens of thousands of numbers a request: libsimdjson-dev
# Arrow streams: the libarrow inside the pinned pyarrow wheel; Debian has none, and the clients read with the same.
file(GLOB pyarrow ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/pyarrow)
find_path(ARROW_INCLUDE arrow/api.h REQUIRED HINTS ${pyarrow}/include)
file(GLOB wheel_arrow ${pyarrow}/libarrow.so.[0-9]*)
if(wheel_arrow)
  set(ARROW_LIBRARY ${wheel_arrow})
else()
  find_library(ARROW_LIBRARY arrow REQUIRED)
endif()
add_library(foreign_arrow INTERFACE)
target_link_libraries(foreign_arrow INTERFACE ${ARROW_LIBRARY})
target_include_directories(foreign_arrow SYSTEM INTERFACE ${ARROW_INCLUDE})
