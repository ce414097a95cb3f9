"""program_test.py CELLMILL: the program's own words: overview, versions, settings, completion, and mistakes on the command line."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())


def run(*arguments, cwd=None):
    done = subprocess.run([PROGRAM, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def refused(self, code, said, *arguments):
        """Exit code, nothing on stdout, and `said` on stderr."""
        found, out, err = run(*arguments, cwd=self.folder)
        self.assertEqual((found, out), (code, ""), err)
        self.assertIn(said, err)

    def test_overview(self):
        for arguments in ([], ["--help"]):
            code, out, err = run(*arguments)
            self.assertEqual((code, err), (0, ""))
            self.assertIn("usage: cellmill COMMAND", out)
            self.assertRegex(out, r"\n  train +\S")
            self.assertRegex(out, r"\n  config +\S")

    def test_version(self):
        code, out, _ = run("--version")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"^cellmill \d+\.\d+\.\d+\n$")

    def test_every_command_has_help(self):
        commands = re.findall(r"^  ([\w-]+)", run()[1], re.MULTILINE)
        self.assertGreater(len(commands), 3)
        for command in commands:
            code, out, err = run(command, "--help")
            self.assertEqual((code, err), (0, ""), command)
            self.assertTrue(out.startswith(f"usage: cellmill {command}"), out)
            self.assertIn("\n  --help ", out)

    def test_help_is_grouped_with_defaults_and_ranges(self):
        out = run("plan", "--help")[1]
        self.assertRegex(out, r"\n  --ranks N +up to so many \(at least 1; default 1024\)\n")
        self.assertRegex(out, r"\n\nSettings, told by `cellmill config help`\n  --config TEXT\.\.\. +run files")
        headings = re.findall(r"^\S.*$", run()[1], re.MULTILINE)
        self.assertEqual(headings[-8:], ["Train", "Ask", "Metadata", "Rank encoder", "Data", "Check", "Settings", "Serve"])

    def test_unknown_command(self):
        self.refused(64, "unknown command trian\n  hint: did you mean train?", "trian")

    def test_unknown_option(self):
        self.refused(
            64, "cellmill config: unknown option --confg\n  hint: did you mean --config?", "config", "dump", "--confg", "a"
        )

    def test_unknown_action(self):
        self.refused(64, "cellmill config: unknown action explian\n  hint: did you mean explain?", "config", "explian")

    def test_missing_file(self):
        self.refused(66, "none.yaml: cannot open: No such file or directory", "config", "dump", "--config", "none.yaml")

    def test_unknown_key(self):
        self.write("a.yaml", "train:\n  epohcs: 3\n")
        said = "a.yaml:2:3: unknown key train.epohcs\n      epohcs: 3\n      ^\n  hint: did you mean train.epochs?"
        self.refused(78, said, "config", "dump", "--config", "a.yaml")
        self.refused(78, said, "train", "--config", "a.yaml")

    def test_plan(self):
        big = "data.format=synthetic data.synthetic_genes=20000 data.synthetic_categories=[20,300] data.synthetic_density=0.067"
        options = ["plan", "--set", *big.split(), "--batch", "512", "--machine", "h100", "disk_gbs=5", "--cells", "1000000"]
        code, out, err = run(*options)
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"machine h100: products: half of 798 TFLOP/s measured")
        self.assertRegex(out, r"\ndense \* +[\d.,]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d,]+  \w+")
        self.assertRegex(out, r"\n +1024 +524,288 ")
        self.assertRegex(out, r"\nscaling ends at \d+ ranks: with \d+ ranks the file system binds: ")
        code, out, _ = run(*options, "--json", "--ranks", "4")
        plan = json.loads(out)
        self.assertEqual([row["ranks"] for row in plan["ranks"]], [1, 2, 4])
        self.assertEqual([form["name"] for form in plan["forms"]], ["dense", "factored"])
        self.assertAlmostEqual(plan["nonzeros"], 1340, delta=200)
        parameters = plan["parameters"]
        sharded = json.loads(run(*options, "--set", "optimizer.shard=true", "--json", "--ranks", "4")[1])
        for row, cut in zip(plan["ranks"], sharded["ranks"]):
            self.assertAlmostEqual(row["bytes_held"] - cut["bytes_held"], 8 * parameters * (1 - 1 / row["ranks"]), delta=1)
        code, out, _ = run("plan", "--machine", "a100", "link_gbs=7", "--show-machine")
        self.write("mine.yaml", out)
        self.assertIn("link_gbs: 7", run("plan", "--machine", str(self.folder / "mine.yaml"), "--show-machine")[1])

    def test_plan_refuses(self):
        self.refused(64, "no machine 'h10'\n  hint: did you mean h100?", "plan", "--machine", "h10")
        self.refused(66, "none.yaml: cannot open", "plan", "--machine", "none.yaml")
        self.refused(78, "unknown key disk_gb\n", "plan", "--machine", "h100", "disk_gb=1")
        self.refused(78, "link_gbs: expected above 0; found 0", "plan", "--machine", "h100", "link_gbs=0")
        self.refused(64, "--batch: expected at least 0; found -1", "plan", "--batch", "-1")

    def test_submit_shows_its_script(self):
        self.write("a.yaml", "output: {folder: runs/a}\n")
        options = ["submit", "a.yaml", "--nodes", "2", "--gpus", "4", "--time", "8:00:00", "--sbatch", "partition=gpu", "exclusive"]
        code, out, err = run(*options, "--dry-run", cwd=self.folder)
        self.assertEqual((code, err), (0, ""))
        for line in ("nodes=2", "ntasks-per-node=4", "gpus-per-node=4", "time=8:00:00", "output=runs/a-%j.log", "partition=gpu",
                     "exclusive", "cpus-per-task=8", "requeue"):
            self.assertRegex(out, rf"(?m)^#SBATCH --{line}( |$)")
        self.assertIn(f"\nPROGRAM={PROGRAM}\nCONFIG=runs/a.yaml\nFOLDER=runs/a\n", out)
        self.assertIn("\nsrun --mpi=pmix --kill-on-bad-exit=1 ", out)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["a.yaml"])

    def test_submit_refuses(self):
        self.write("a.yaml", "output: {folder: 'my run'}\n")
        self.refused(64, "output.folder: 'my run' holds ' ', which cannot stand in a batch script", "submit", "a.yaml", "--dry-run")
        self.refused(64, "--sbatch: 'comment=$x' holds '$'", "submit", "a.yaml", "--set", "output.folder=b", "--sbatch", "comment=$x")
        self.write("b.yaml", "train: {epohcs: 3}\n")
        self.refused(78, "did you mean train.epochs?", "submit", "b.yaml")
        self.refused(66, "none.yaml: cannot open", "submit", "none.yaml")

    def test_all_problems_at_once(self):
        self.write("a.yaml", "train:\n  epochs: 0\n")
        self.refused(
            78,
            "2 problems in the configuration\na.yaml:2:11: train.epochs: expected at least 1; found 0\n",
            *("config", "dump", "--config", "a.yaml", "--set", "train.seed=x"),
        )

    def test_explain(self):
        self.write("a.yaml", "train:\n  epochs: 3\n  seed: 1\n")
        self.write("b.yaml", "train: {seed: 2}\n")
        code, out, _ = run(
            *("config", "explain", "--config", "a.yaml", "b.yaml", "--set", "train.global_batch=64"), cwd=self.folder
        )
        self.assertEqual(code, 0)
        self.assertRegex(out, r"\ntrain\.epochs +3 +a\.yaml:2\n")
        self.assertRegex(out, r"\ntrain\.seed +2 +b\.yaml:1\n")
        self.assertRegex(out, r"\ntrain\.global_batch +64 +--set\n")
        self.assertRegex(out, r"\ntrain\.max_steps +\S+ +default\n")

    def test_check(self):
        self.write("a.yaml", "train:\n  epochs: 3\n  seed: 1\n")
        self.assertEqual(run("config", "check", "--config", "a.yaml", cwd=self.folder)[:2], (0, "no mistakes; 2 settings not at the default\n"))
        self.write("a.yaml", "train:\n  epohcs: 3\n  seed: -1\nmodle: {}\n")
        found, out, err = run("config", "check", "--config", "a.yaml", cwd=self.folder)
        self.assertEqual((found, out), (78, ""))
        for said in ("3 problems", "did you mean train.epochs?", "a.yaml:3:9: train.seed: expected", "did you mean model?"):
            self.assertIn(said, err)

    def test_dump_reads_back(self):
        code, first, _ = run("config", "dump", "--set", "train.epochs=7")
        self.assertEqual(code, 0)
        self.assertIn("  epochs: 7  # ", first)
        self.write("effective.yaml", first)
        self.assertEqual(run("config", "dump", "--config", "effective.yaml", cwd=self.folder)[1], first)

    def test_every_run_file_of_ours_is_accepted(self):
        files = sorted(pathlib.Path(__file__).parents[2].glob("configs/*.yaml"))
        self.assertTrue(files)
        for file in files:
            code, _, err = run("config", "dump", "--config", str(file))
            self.assertEqual((code, err), (0, ""), file)

    def test_help_of_settings(self):
        self.assertRegex(run("config", "help")[1], r"\n  train\.epochs=\d+ +\S.*\(at least 1\)\n")

    def test_bash_completion(self):
        expected = {
            "tra": "train",
            "config ": "explain check dump help",
            "config --se": "--set",
            "train --set train.epo": "train.epochs=",
            "train --set train.schedule =": "constant linear cosine",
            "train --set train.schedule = cos": "cosine",
        }
        script = """
            cellmill() { "$program" "$@"; }
            compopt() { :; }
            source <(cellmill completion bash)
            for line; do
                IFS=' ' read -ra COMP_WORDS <<< "cellmill $line"
                [[ $line == *' ' ]] && COMP_WORDS+=("")
                COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                _cellmill
                echo "${COMPREPLY[*]}"
            done
        """
        bash = ["bash", "-c", f"program='{PROGRAM}'\n{script}", "bash", *expected]
        done = subprocess.run(bash, capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual(dict(zip(expected, done.stdout.splitlines())), expected)

    def test_other_completions(self):
        self.assertIn("bashcompinit", run("completion", "zsh")[1])
        self.assertIn("complete -c cellmill -l set -x -a train.schedule=cosine\n", run("completion", "fish")[1])
        self.refused(64, "unknown shell bsh\n  hint: did you mean bash?", "completion", "bsh")


if __name__ == "__main__":
    unittest.main()
