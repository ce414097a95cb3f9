# Every foreign library, once, with its reason. Debian's packages unless another place is named; tools/setup installs them.
find_package(Threads REQUIRED)
find_package(LibTorch REQUIRED)                              # tensors, autograd, fused Adam; PyPI wheel torch==2.11.0
find_package(MPI REQUIRED COMPONENTS CXX)                    # the world of ranks: libopenmpi-dev
find_package(HDF5 REQUIRED COMPONENTS C)                     # checkpoints, label codes, h5ad: libhdf5-dev
find_package(Boost REQUIRED COMPONENTS program_options)      # command line: libboost-program-options-dev
find_package(yaml-cpp REQUIRED)                              # run files: libyaml-cpp-dev
find_package(spdlog REQUIRED)                                # log and text formatting: libspdlog-dev, libfmt-dev
find_package(nlohmann_json REQUIRED)                         # manifests, metrics, vocabularies: nlohmann-json3-dev
find_package(Catch2 2 REQUIRED)                              # tests: catch2
find_library(DEFLATE_LIBRARY deflate REQUIRED)               # npz members, PNG, CRC-32: libdeflate-dev
find_path(XXHASH_INCLUDE xxhash.h REQUIRED)                  # digests (XXH3, header only): libxxhash-dev

add_library(foreign_hdf5 INTERFACE)
target_link_libraries(foreign_hdf5 INTERFACE ${HDF5_C_LIBRARIES})
target_include_directories(foreign_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
add_library(foreign_deflate INTERFACE)
target_link_libraries(foreign_deflate INTERFACE ${DEFLATE_LIBRARY})
add_library(foreign_mpi INTERFACE)
target_link_libraries(foreign_mpi INTERFACE MPI::MPI_CXX)
target_compile_definitions(foreign_mpi INTERFACE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
