# SPDX-License-Identifier: MIT
"""stoa doctor: its keys, its findings, its advice. How fast the machine is decides no test."""

import json

from support import ANY_CPU, Command

KEYS = {
    "cpu.model": str, "cpu.isa": str, "tuning.name": str, "tuning.sum": str, "cpu.count": int, "cpu.quota": (float, type(None)),
    "cpu.load": (float, type(None)), "cpu.mhz": (float, type(None)), "cpu.max_mhz": (float, type(None)),
    "threads": int, "blas.name": str, "blas.version": str, "blas.core": str, "blas.chosen_by": str,
    "blas.better_core": (str, type(None)), "blas.better_gflops": (float, type(None)), "blas.threads": int,
    "blas.threading": str, "blas.integer_bits": int, "fma.gflops_one": float, "fma.gflops": float,
    "gemm.gflops_one": float, "gemm.gflops": float, "gemm.share_one": float, "gemm.share": float,
    "gemm.shapes": list, "gemm.small_limit": int, "memory.gigabytes_per_second": float,
    "memory.huge_pages": (str, type(None)), "latency.nanoseconds": float, "check.concurrent": bool, "check.beta_zero": bool, "check.denormals": bool,
    "advice": list,
}
POSITIVE = ["fma.gflops_one", "fma.gflops", "gemm.gflops_one", "gemm.gflops", "gemm.share_one", "gemm.share",
            "memory.gigabytes_per_second", "cpu.count", "threads"]


class Doctor(Command):
    def examine(self, *arguments, **keywords):
        return json.loads(self.done("doctor", "--json", "--seconds", "0.1", *arguments, **keywords))

    def test_has_all_keys(self):
        report = self.examine("--threads", "2")
        self.assertEqual(list(report), list(KEYS))
        for key, kind in KEYS.items():
            self.assertIsInstance(report[key], kind, key)
        for key in POSITIVE:
            self.assertGreater(report[key], 0, key)
        self.assertEqual(report["threads"], 2)
        self.assertEqual(len(report["gemm.shapes"]), 4)
        for shape in report["gemm.shapes"]:
            self.assertEqual(list(shape), ["m", "n", "k", "gflops_one", "gflops", "share_one", "share"])
            self.assertTrue(all(value > 0 for value in shape.values()), shape)
            self.assertAlmostEqual(shape["share"], shape["gflops"] / report["fma.gflops"], places=6)
        self.assertEqual(report["gemm.gflops"], max(shape["gflops"] for shape in report["gemm.shapes"][:2]))
        self.assertTrue(report["check.concurrent"] and report["check.denormals"])

    def test_one_thread(self):
        report = self.examine("--threads", "1")
        self.assertEqual((report["threads"], report["latency.nanoseconds"]), (1, 0))
        self.assertEqual(report["fma.gflops"], report["fma.gflops_one"])

    def test_text_has_advice_only_where_there_is_some(self):
        for env in ({}, {"STOA_CPU": "base"}):
            text = self.done("doctor", "--seconds=0.1", env=env)
            advice = [line for line in text.splitlines() if line.startswith("- ")]
            self.assertEqual("Advice" in text, advice != [], text)
            for word in ("multiply-add limit", "sgemm 512x512x512", "GB/s", "beta = 0", "denormal"):
                self.assertIn(word, text)

    def test_says_that_the_user_limits_the_kernels(self):
        best = self.examine(env=ANY_CPU)["cpu.isa"]
        report = self.examine(env={**ANY_CPU, "STOA_CPU": "base"})
        self.assertEqual(report["cpu.isa"], "base")
        lines = [line for line in report["advice"] if "STOA_CPU" in line]
        self.assertEqual(len(lines), 0 if best == "base" else 1, report["advice"])
        self.assertTrue(all(best in line for line in lines))

    def test_says_what_the_users_core_costs(self):
        report = self.examine(env=ANY_CPU)
        self.assertIsNone(report["blas.better_core"])
        self.assertFalse([line for line in report["advice"] if "OPENBLAS_CORETYPE" in line])
        if report["cpu.isa"] != "avx512" or "DYNAMIC_ARCH" not in report["blas.version"]:
            self.skipTest("the CPU has no AVX-512, or this OpenBLAS one core only")
        report = self.examine(env={**ANY_CPU, "OPENBLAS_CORETYPE": "Haswell"})
        self.assertEqual((report["blas.core"], report["blas.chosen_by"]), ("Haswell", "OPENBLAS_CORETYPE"))
        self.assertEqual(report["blas.better_core"], "SkylakeX")
        self.assertGreater(report["blas.better_gflops"], 0)
        lines = [line for line in report["advice"] if "OPENBLAS_CORETYPE holds" in line]
        # A CPU may do as well with the narrower core, and a busy one may seem to: 5 % are worth a line.
        gain = report["blas.better_gflops"] / report["gemm.gflops"]
        if not 1.04 < gain < 1.06:
            self.assertEqual(len(lines), 1 if gain > 1.05 else 0, report["advice"])
        for figure in (report["blas.better_gflops"], report["gemm.gflops"]) if lines else ():
            self.assertIn(f"{figure:.0f}", lines[0])

    def test_refused(self):
        self.refused("doctor", "now", words=("now", "stoa doctor"))
        for value in ("0", "-1", "nan", "1e9", "soon"):
            self.refused("doctor", f"--seconds={value}", words=("--seconds", value))
        self.refused("doctor", "--batch", "3", words=("--batch",))
        self.refused("doctor", env={"STOA_THREADS": "0"}, words=("STOA_THREADS",))
