# LibTorch from the PyPI wheel, as imported targets of our own: the wheel's TorchConfig.cmake refuses on a machine without a
# CUDA toolkit, and the same two targets serve machines with one. Torch_DIR, if given, overrides the wheel in .venv.
#   LibTorch::cpu    always          LibTorch::cuda   with CELLMILL_WITH_CUDA: torch_cuda, CUDA runtime headers, NCCL
#   LibTorch::openmp for sources that call at::parallel_for: it lies in the headers, and runs on one thread without -fopenmp
if(Torch_DIR)
  get_filename_component(LibTorch_ROOT "${Torch_DIR}/../../.." ABSOLUTE)
else()
  file(GLOB LibTorch_ROOT ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
endif()
find_path(LibTorch_INCLUDE torch/torch.h HINTS ${LibTorch_ROOT}/include/torch/csrc/api/include NO_DEFAULT_PATH)
find_library(LibTorch_CPU torch_cpu HINTS ${LibTorch_ROOT}/lib NO_DEFAULT_PATH)
find_library(LibTorch_C10 c10 HINTS ${LibTorch_ROOT}/lib NO_DEFAULT_PATH)
find_library(LibTorch_OPENMP NAMES libgomp.so.1 gomp HINTS ${LibTorch_ROOT}/lib)  # the one that torch_cpu itself links
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_CPU LibTorch_C10 LibTorch_OPENMP LibTorch_INCLUDE
  REASON_FAILURE_MESSAGE "run tools/setup (makes .venv with the torch wheel), or set Torch_DIR")

if(NOT TARGET LibTorch::cpu)
  add_library(LibTorch::cpu INTERFACE IMPORTED)
  target_include_directories(LibTorch::cpu SYSTEM INTERFACE ${LibTorch_ROOT}/include ${LibTorch_INCLUDE})
  target_link_libraries(LibTorch::cpu INTERFACE ${LibTorch_CPU} ${LibTorch_C10} Threads::Threads)
  target_link_options(LibTorch::cpu INTERFACE -Wl,--allow-shlib-undefined)
  target_compile_definitions(LibTorch::cpu INTERFACE FMT_HEADER_ONLY)  # the wheel's fmt headers hide Debian's, and it has no fmt library
  add_library(LibTorch::openmp INTERFACE IMPORTED)
  target_compile_options(LibTorch::openmp INTERFACE -fopenmp)
  target_link_libraries(LibTorch::openmp INTERFACE ${LibTorch_OPENMP})
endif()

if(CELLMILL_WITH_CUDA AND NOT TARGET LibTorch::cuda)
  find_package(CUDAToolkit REQUIRED)
  get_filename_component(wheels ${LibTorch_ROOT}/../nvidia ABSOLUTE)
  find_path(NCCL_INCLUDE nccl.h HINTS ${wheels}/nccl/include ${CUDAToolkit_INCLUDE_DIRS} REQUIRED)
  find_library(NCCL_LIBRARY NAMES libnccl.so.2 nccl HINTS ${wheels}/nccl/lib ${CUDAToolkit_LIBRARY_DIR} REQUIRED)
  add_library(LibTorch::cuda INTERFACE IMPORTED)
  target_include_directories(LibTorch::cuda SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS} ${NCCL_INCLUDE})
  target_link_libraries(LibTorch::cuda INTERFACE LibTorch::cpu -Wl,--no-as-needed ${LibTorch_ROOT}/lib/libtorch_cuda.so
    ${LibTorch_ROOT}/lib/libc10_cuda.so -Wl,--as-needed CUDA::cudart ${NCCL_LIBRARY})
endif()
