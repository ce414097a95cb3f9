#pragma once
// One function, several instruction sets: the dynamic linker picks the best that the machine has.
// Sanitizers cannot run the resolvers, and other compilers and machines get the portable version.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CELLMILL_CLONES \
  __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4"), optimize("O3")))
#else
#define CELLMILL_CLONES
#endif

// Whether files can have a region for AVX-512 (#pragma GCC target), chosen at run time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CELLMILL_AVX512
namespace cellmill {
/// What the system does not save between threads, gcc's runtime calls unsupported.
inline bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
}  // namespace cellmill
#endif
