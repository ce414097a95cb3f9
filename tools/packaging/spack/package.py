# Copyright cellmill's authors. Apache-2.0
from spack.package import *


class Cellmill(CMakePackage):
    """Trains models of gene expression on clusters: C++20 on LibTorch and MPI.

    In a checkout: spack repo create, this file as packages/cellmill/package.py, spack develop --path . cellmill@0.1.0
    """

    license("Apache-2.0", checked_by="cellmill")
    version("0.1.0")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("python@3.10:3.14", type=("build", "run"))
    depends_on("py-torch@2.11")
    depends_on("mpi")
    depends_on("hdf5@1.10:")
    depends_on("boost+program_options")
    depends_on("yaml-cpp@0.7:")
    depends_on("spdlog+fmt_external")
    depends_on("fmt")
    depends_on("nlohmann-json")
    depends_on("libdeflate")
    depends_on("xxhash")
    depends_on("openssl")
    depends_on("sqlite")
    depends_on("simdjson")
    depends_on("arrow")
    depends_on("zlib-api")
    depends_on("catch2@2", type="build")

    generator("ninja")

    def cmake_args(self):
        torch = join_path(self.spec["py-torch"].package.cmake_prefix_paths[0], "Torch")
        return [self.define("CELLMILL_WITH_CUDA", self.spec.satisfies("^py-torch+cuda")), self.define("Torch_DIR", torch)]
