#!/usr/bin/env python3
"""A foreign library is used only where src/README.md says so; everybody else goes through that directory.

Comments and texts do not count. fmt is open to all through base/format.h, JSON through io/json.h.
"""
import re

from source_tree import code_lines, cpp_files, main

# what, how its use looks, where it may be used (a directory of src, or one file without its suffix)
RULES = [
    ("MPI", r"\b(MPI_\w+|OMPI_\w+)|<mpi\.h>", {"comm"}),
    ("NCCL", r"\bnccl[A-Z]\w*|<nccl\.h>", {"comm"}),
    ("HDF5", r"\bH5[A-Z]{1,2}[a-z_]\w*\s*\(|<hdf5[\w/]*\.h>", {"io"}),
    ("libdeflate", r"\blibdeflate_\w+|<libdeflate\.h>", {"io"}),
    ("zlib", r"<zlib\.h>", {"io"}),
    ("JSON", r"<nlohmann/", {"io/json"}),
    ("yaml-cpp", r"\bYAML::|<yaml-cpp/", {"config"}),
    ("Boost.Program_options", r"\bboost::program_options\b|<boost/program_options", {"config"}),
    ("Boost", r"\bboost::(?!program_options\b)|<boost/(?!program_options)", {"serve"}),
    ("spdlog", r"\bspdlog::|<spdlog/", {"base"}),
    ("threads", r"\bstd::(thread|jthread|async)\b|\bpthread_create\b", {"comm", "data", "serve", "base/background"}),
    ("at::parallel_for, which needs LibTorch::openmp,", r"\bat::parallel_for\b", {"comm", "nn", "train"}),
    ("the CUDA runtime", r"\bcuda[A-Z]\w*\s*\(|<cuda_runtime|<c10/cuda/|<ATen/cuda/", {"comm", "data/device_feed_cuda"}),
    ("std::cout", r"\bstd::(cout|cerr|clog)\b|\b(printf|puts)\s*\(", set()),
]


def confinement(root):
    complaints = []
    for path in cpp_files(root / "src"):
        inside = path.relative_to(root / "src")
        homes = {inside.parts[0], inside.with_suffix("").as_posix()}
        for number, line in code_lines(path):
            for what, pattern, where in RULES:
                match = re.search(pattern, line)
                if match and not homes & where:
                    places = " and ".join(sorted(where)) or "nowhere (say it through base/log.h)"
                    complaints.append(
                        f"src/{inside.as_posix()}:{number}: {match.group().strip()}: {what} belongs in {places}"
                    )
    return complaints


GOOD = {
    "src/comm/a.cpp": "#include <mpi.h>\nint n = MPI_Init(0, 0); ncclGroupStart(); std::thread t;\n",
    "src/io/h.cpp": "#include <hdf5.h>\nauto f = H5Fopen(name); libdeflate_free(d);\n",
    "src/io/json.h": "#include <nlohmann/json.hpp>\n",
    "src/config/c.cpp": "YAML::Node n; namespace po = boost::program_options;\n",
    "src/data/device_feed_cuda.cpp": "cudaMemcpyAsync(a, b);\n",
    "src/base/log.cpp": "#include <spdlog/spdlog.h>\n",
    "src/train/t.cpp": '// MPI_Abort\n/* H5Fopen(\n YAML:: */ auto x = "std::cout MPI_Init"; H5File f; std::this_thread::yield();\n',
}


def planted(line, what):
    return {**GOOD, "src/train/bad.cpp": "\n" + line + "\n"}, ["src/train/bad.cpp:2: " + what]


CASES = [
    (GOOD, []),
    planted("MPI_Barrier(world);", "MPI_Barrier: MPI belongs in comm"),
    planted("#include <mpi.h>", "<mpi.h>: MPI belongs in comm"),
    planted("ncclAllReduce();", "ncclAllReduce: NCCL belongs in comm"),
    planted("H5Dread(d);", "H5Dread(: HDF5 belongs in io"),
    planted("#include <nlohmann/json.hpp>", "<nlohmann/: JSON belongs in io/json"),
    planted("libdeflate_free(d);", "libdeflate_free: libdeflate belongs in io"),
    planted("#include <zlib.h>", "<zlib.h>: zlib belongs in io"),
    planted("YAML::Node n;", "YAML::: yaml-cpp belongs in config"),
    planted("boost::program_options::x y;", "boost::program_options: Boost.Program_options belongs in config"),
    planted("boost::asio::x y;", "boost::: Boost belongs in serve"),
    planted("#include <spdlog/spdlog.h>", "<spdlog/: spdlog belongs in base"),
    planted("std::jthread t;", "std::jthread: threads belongs in base/background and comm and data and serve"),
    planted("cudaFree(p);", "cudaFree(: the CUDA runtime belongs in comm and data/device_feed_cuda"),
    planted("std::cout << 1;", "std::cout: std::cout belongs in nowhere (say it through base/log.h)"),
    planted("std::printf(text);", "printf(: std::cout belongs in nowhere (say it through base/log.h)"),
    (
        {**GOOD, "src/data/other_cuda.cpp": "cudaFree(p);\n"},
        ["src/data/other_cuda.cpp:1: cudaFree(: the CUDA runtime belongs in comm and data/device_feed_cuda"],
    ),
]

if __name__ == "__main__":
    main(confinement, CASES)
