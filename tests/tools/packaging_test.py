"""The recipes of tools/packaging, which cannot be built where the project is tested: parsed and linted by their own tools where
PyPI has these, and compared with what the build really wants."""
import ast
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "tools" / "packaging"
VERSION = re.search(r"project\(cellmill VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
# Debian's package of the build -> Spack, conda-forge
LIBRARIES = {"libopenmpi-dev": ("mpi", "openmpi"), "libhdf5-dev": ("hdf5", "hdf5"), "libyaml-cpp-dev": ("yaml-cpp", "yaml-cpp"),
             "libboost-program-options-dev": ("boost", "libboost-devel"), "libspdlog-dev": ("spdlog", "spdlog"),
             "libfmt-dev": ("fmt", "fmt"), "nlohmann-json3-dev": ("nlohmann-json", "nlohmann_json"), "catch2": ("catch2", "catch2"),
             "libdeflate-dev": ("libdeflate", "libdeflate"), "libxxhash-dev": ("xxhash", "xxhash"), "zlib1g-dev": ("zlib-api", "zlib"),
             "libboost-dev": ("boost", "libboost-devel"), "libssl-dev": ("openssl", "openssl"), "libsqlite3-dev": ("sqlite", "sqlite"),
             "libsimdjson-dev": ("simdjson", "simdjson"), "torch": ("py-torch", "libtorch")}


def hadolint(path):
    found = shutil.which("hadolint", path=str(pathlib.Path(sys.executable).parent)) or shutil.which("hadolint")
    if not found:
        pytest.skip("no hadolint (tools/requirements.txt)")
    done = subprocess.run([found, "--no-color", path], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_dockerfile_is_clean():
    assert hadolint(PACKAGING / "Dockerfile") == (0, "")


def test_hadolint_sees_mistakes(tmp_path):
    bad = tmp_path / "Dockerfile"
    bad.write_text((PACKAGING / "Dockerfile").read_text().replace("WORKDIR /data", "WORKDIR data"))
    code, said = hadolint(bad)
    assert code != 0 and "Use absolute WORKDIR" in said


def installed(text):
    """The packages that a recipe's last apt-get installs."""
    words = re.findall(r"apt-get install -y --no-install-recommends((?: |\\\n|[\w.+-])+)", text)[-1]
    return [word for word in words.replace("\\\n", " ").split() if word != "rm"]


def test_images_hold_what_the_programs_load():
    """Docker's and Apptainer's lists are one, and Debian 12 has these packages."""
    docker, apptainer = (installed((PACKAGING / name).read_text()) for name in ("Dockerfile", "cellmill.def"))
    assert docker == apptainer and len(docker) > 5
    if "bookworm" not in pathlib.Path("/etc/os-release").read_text() or not shutil.which("apt-cache"):
        pytest.skip("not on Debian 12: the packages' names are not compared")
    known = set(subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True).stdout.split())
    if not known:
        pytest.skip("apt has no lists: the packages' names are not compared")
    assert set(docker) - known == set()


def sections(text):
    """[(header or %section, lines)] of a definition file."""
    found = []
    for line in text.splitlines():
        if match := re.match(r"(%\w+|Bootstrap:|From:|Stage:)\s*(.*)", line):
            found.append((match.group(1), [match.group(2)]))
        elif line.strip() and not line.startswith("#"):
            assert found and line.startswith("    "), f"outside every section: {line}"
            found[-1][1].append(line)
    return found


def test_apptainer_definition():
    found = sections((PACKAGING / "cellmill.def").read_text())
    stages = [name for name, _ in found].count("Bootstrap:")
    assert stages == 2 and [body[0] for name, body in found if name == "Stage:"] == ["build", "final"]
    assert {name for name, _ in found} == {"Bootstrap:", "From:", "Stage:", "%files", "%post", "%environment", "%test", "%runscript"}
    for name, body in found:
        if name in ("%post", "%environment", "%test", "%runscript"):
            done = subprocess.run(["sh", "-n"], input="\n".join(body[1:]), text=True, capture_output=True)
            assert done.returncode == 0, f"{name}: {done.stderr}"
    for name in [word for _, body in found for line in body for word in re.findall(r"tools/[\w/]+", line)]:
        assert (ROOT / name).exists(), name


def wanted_libraries():
    text = (ROOT / "tools" / "cmake" / "Dependencies.cmake").read_text()
    named = set(re.findall(r"\b(lib[\w-]+-dev|nlohmann-json3-dev|catch2|torch)\b(?=[,\n=])", text)) | {"zlib1g-dev"}
    assert named == set(LIBRARIES), "another library: name it here and in the recipes"
    return named


def test_spack_package():
    tree = ast.parse((PACKAGING / "spack" / "package.py").read_text())
    (package,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert package.name == "Cellmill" and [base.id for base in package.bases] == ["CMakePackage"]
    calls = {}
    for node in package.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            calls.setdefault(node.value.func.id, []).append(node.value.args[0].value)
    assert set(calls) == {"license", "version", "depends_on", "generator"}
    assert calls["version"] == [VERSION]
    names = {re.match(r"[\w-]+", spec).group() for spec in calls["depends_on"]}
    assert {LIBRARIES[library][0] for library in wanted_libraries()} <= names


def test_conda_recipe(tmp_path):
    rattler_build = pytest.importorskip("rattler_build", reason="no rattler-build (tools/requirements.txt)")
    path = PACKAGING / "conda" / "recipe.yaml"
    recipe = rattler_build.Stage0Recipe.from_file(path).to_dict()
    assert recipe["context"]["version"] == VERSION
    assert (path.parent / recipe["source"][0]["path"]).resolve() == ROOT
    names = {spec.split()[0] for spec in recipe["requirements"]["host"]}
    assert {LIBRARIES[library][1] for library in wanted_libraries()} <= names
    bad = tmp_path / "recipe.yaml"
    bad.write_text(path.read_text().replace("requirements:", "requirement:"))
    with pytest.raises(Exception, match="requirement"):
        rattler_build.Stage0Recipe.from_file(bad)


def test_what_runs_is_kept(tmp_path):
    """keep_what_runs copies the programs and the libraries that they load from .venv, and no others."""
    checkout = tmp_path / "checkout"
    (checkout / "tools" / "packaging").mkdir(parents=True)
    shutil.copy(PACKAGING / "keep_what_runs", checkout / "tools" / "packaging")
    for name in ("configs", "slurm"):
        shutil.copytree(ROOT / name, checkout / name)
    (checkout / "LICENSE").touch()
    libraries = checkout / ".venv" / "lib" / "site-packages" / "torch" / "lib"
    libraries.mkdir(parents=True)
    for name in ("used", "unused"):
        build = ["cc", "-shared", "-x", "c", "-", "-o", libraries / f"lib{name}.so"]
        subprocess.run(build, input=f"int {name}() {{ return 0; }}", text=True, check=True)
    programs = checkout / "build" / "release"
    programs.mkdir(parents=True)
    for program in ("cellmill", "cellmill-cpu", "cellmill-serve-cpu"):
        link = ["-L", libraries, "-lused", f"-Wl,-rpath,{libraries}"]
        subprocess.run(["cc", "-x", "c", "-", "-o", programs / program, *link], input="int used(); int main() { return used(); }",
                       text=True, check=True)
    kept = tmp_path / "kept"
    keep = [checkout / "tools" / "packaging" / "keep_what_runs", kept]
    subprocess.run(keep, check=True, capture_output=True)
    names = {path.name for path in kept.rglob("*") if path.is_file()}
    assert {"cellmill", "cellmill-cpu", "cellmill-serve-cpu", "libused.so", "train.sbatch", "cae_tiny.yaml", "LICENSE"} <= names
    assert "libunused.so" not in names
    (programs / "cellmill-cpu").unlink()
    done = subprocess.run(keep, capture_output=True, text=True)
    assert done.returncode == 66 and "cellmill-cpu; tools/setup builds it" in done.stderr
