/* SPDX-License-Identifier: MIT */
/* What every mode of stoa-bench shares: its options, the timing loop, one record a result, and the JSON file.
 *
 * A mode is one function in a file of its own and one line in bench/modes.h. It prints tables for people on
 * stdout (cli/table.h) and hands each result to bench_report(), which keeps it for --json. */
#ifndef STOA_BENCH_BENCH_H
#define STOA_BENCH_BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stoa/context.h>

#include "cli/command.h" /* CLI_DONE, CLI_FAILED, CLI_WRONG */
#include "cli/report.h"  /* cli_fail(), cli_allocate(), cli_text(), cli_json_...() */
#include "cli/table.h"

/* What the command line asked for. Options that a mode does not list are refused before it runs. */
struct bench_options {
    const char *filter; /* extended regular expression; NULL: everything */
    const char *json;   /* file for the results, "-" for the standard output; NULL: none */
    const char *trace;  /* file for a trace of some steps; NULL: none */
    const char *layers; /* file of layers; NULL: the one that ships */
    const char *rows;   /* file of recipes with figures; NULL: the one that ships */
    const char *data;   /* where MNIST lies; NULL: where it is found */
    const char *isa;    /* an instruction set's name or "all"; NULL: the context's */
    stoa_isa highest;   /* what it names, where the mode is held to it */
    bool is_held;       /* `highest` counts */
    const char *peer;   /* another engine to compare with; NULL: none */
    const char *python; /* for peers that are Python packages; NULL: python3 */
    const char *out;    /* file or folder that a mode writes; NULL: not given */
    size_t threads;     /* 0: as many as CPUs */
    size_t repetitions; /* timed repetitions of a case */
    size_t batch;       /* 0: the mode's own */
    size_t seeds;       /* 0: the list's, or the mode's own */
    double target;      /* a test accuracy from 0 to 1; 0: the mode's own */
    const char *stoa;   /* the command that trains; NULL: the one beside this */
    double min_time;    /* seconds that one repetition lasts at least */
    stoa_policy policy; /* if it is given */
    bool policy_given, list, no_naive, self_test, all_algorithms, check, force, steps, wide, serve, markdown;
    char **operands;
    size_t operand_count;
};

struct bench {
    struct bench_options options;
    stoa_context *context; /* of options.threads threads; BLAS threads are held at 1 around a mode */
    size_t threads;        /* of the context */
    char **arguments;      /* the whole command line */
    void *filter;          /* compiled; use bench_wanted() */
    json_t *about;         /* the JSON's "context"; a mode may add keys */
    json_t *results;       /* the JSON's "benchmarks" */
    size_t records;        /* results so far */
    json_t *trace;         /* events of --trace, of so many runs */
    size_t traced;
    int json_file; /* the standard output where --json takes it; -1: it does not */
};

struct bench_mode {
    const char *name, *summary;
    const char *usage;          /* "layers [PROBLEM]... [options]" */
    const char *const *options; /* names of the options it takes, NULL at the end */
    size_t most_operands;
    bool holds_isa; /* --isa holds all of it, the BLAS and a peer too, to one instruction set */
    bool compares;  /* sides take turns: a repetition is shorter by default */
    bool measures;  /* false: needs no context, BLAS core or machine state (bench->context is NULL) */
    /* What is known to be wrong before anything is printed; NULL: nothing. CLI_DONE or CLI_WRONG. */
    int (*check)(const struct bench_options *options);
    int (*run)(struct bench *bench);
};

/* A context as options and environment want it, of so many threads; 0: as many as they say. CLI_DONE, or
 * another code with the sentence printed. */
int bench_context_create(const struct bench *bench, size_t threads, stoa_context **context);

/* The instruction set of this name, which this CPU has. CLI_DONE, or CLI_WRONG with the sentence printed;
 * `others` names what else is expected, or is "". */
int bench_isa_read(const char *text, const char *others, stoa_isa *isa);
/* The core that OpenBLAS is held to with --isa; NULL: any. */
const char *bench_held_core(const struct bench_options *chosen);

/* Path of a list that ships, for an option that is not given; from malloc. */
char *bench_shipped_list(const char *name);
/* Path of a peer's module, or NULL when this build has none; from malloc. */
char *bench_shipped_peer(const char *name);
/* Path of a peer's script; from malloc. */
char *bench_shipped_script(const char *name);

/* Whether a result of this name is wanted by --filter; none is when the run has been asked to stop. */
bool bench_wanted(const struct bench *bench, const char *name);

/* Seconds on a clock that only goes forward, and CPU seconds of the whole process. */
double bench_now(void);
double bench_cpu_now(void);

/* One thing to time: run() does it once. */
struct bench_case {
    void (*run)(void *argument);
    void *argument;
};

/* Times of a case, in seconds an iteration, one a repetition. */
enum { BENCH_MOST_REPETITIONS = 1000 };
struct bench_summary {
    double median, least, mean, deviation;
    double spread; /* (largest - least) / median */
    double inner;  /* the same without the quarter at either end, which a median does not feel */
};
struct bench_times {
    size_t repetitions, iterations; /* iterations: of each repetition */
    double *real, *cpu;             /* in the order they were taken */
    struct bench_summary summary;   /* of real */
    bool alike;    /* repetitions of the same, which only a disturbance can have driven apart */
    double others; /* share of the CPUs that other programs had meanwhile */
};

/* Whether a median says little, as its repetitions lie far apart or other programs ran: tables mark such
 * rows, means leave them out, and bench_print_disturbed() says so. */
#define BENCH_MARK "~"
#define BENCH_DISTURBED                                                                                      \
    "the middle half of the repetitions lies more than 25 %% apart, or other programs had more than 5 %% "   \
    "of the CPUs"
bool bench_is_disturbed(const struct bench_times *times);
/* The mark, or nothing. */
const char *bench_mark(const struct bench_times *times);
/* A line that says what the mark means, where bench_mark() or bench_is_disturbed() found one to give. */
void bench_print_mark(void);
/* A line that says what the mark means and how many of the rows have it, where any has. */
void bench_print_disturbed(size_t disturbed, size_t rows);

/* Time cases in turn: each repetition runs every case once for min_time, so that all of them see the same
 * weather. Warms each up and finds its iterations first. Release every one with bench_times_free(). */
void bench_time(const struct bench *bench, const struct bench_case *cases, size_t count,
                struct bench_times *times);
/* The same for cases that bring threads of their own, one repetition a call, so that minutes may lie
 * between them: each block begins when all threads are at rest, and with runs that are not counted. The
 * first repetition, 0, makes `times`; the last one sums them up. Returns in how many blocks threads ran
 * on for more than a tenth of a second. */
size_t bench_time_apart(const struct bench *bench, const struct bench_case *cases, size_t count,
                        size_t repetition, struct bench_times *times);
/* For cases that need something around a block of runs (begin) which others must not find (end); takes the
 * case's argument. */
typedef void bench_surround_fn(void *argument, bool begin);
/* Seconds of one run that begins when all threads are at rest. */
double bench_time_first(const struct bench_case *one, bench_surround_fn *surround);
/* The same as bench_time() for cases that bring threads of their own and may take seconds a run: each block
 * begins when all threads are at rest, long runs are neither warmed up nor tried again, and there are three
 * repetitions at most where one is long. `first`: what bench_time_first() said of each. */
void bench_time_turns(const struct bench *bench, const struct bench_case *cases, const double *first,
                      size_t count, bench_surround_fn *surround, struct bench_times *times);
/* The same as bench_time() for one case with its own time and repetitions. */
void bench_time_once(const struct bench_case *one, double min_time, size_t repetitions,
                     struct bench_times *times);
/* Begin such a block: false when threads of another engine run on. */
bool bench_enter_block(const struct bench_case *one);
void bench_times_free(struct bench_times *times);
struct bench_summary bench_summarise(const double *values, size_t count);

/* One result. Counters are numbers, notes are text; both become keys of the JSON rows, so their names must
 * not be Google Benchmark's (name, real_time, ...). Rates end in _per_second. */
enum { BENCH_MOST_EXTRAS = 40 };
struct bench_record {
    const char *name; /* "layers/lenet c2/forward" */
    size_t threads;
    const struct bench_times *times;
    size_t counters, notes, flags;
    struct {
        const char *key;
        double value;
    } counter[BENCH_MOST_EXTRAS];
    struct {
        const char *key, *text; /* borrowed until bench_report() */
    } note[BENCH_MOST_EXTRAS];
    struct {
        const char *key;
        bool value;
    } flag[4];
    size_t lists;
    struct {
        const char *key;
        const double *values; /* one a repetition; borrowed until bench_report() */
    } series[8];
};
void bench_counter(struct bench_record *record, const char *key, double value);
void bench_note(struct bench_record *record, const char *key, const char *text);
void bench_flag(struct bench_record *record, const char *key, bool value);
/* A number that each repetition has its own of; the aggregates have its mean, median and so on. */
void bench_series(struct bench_record *record, const char *key, const double *values);

/* Keep a result: a row a repetition and the aggregates median, min, mean, stddev and cv. Copies everything.
 */
void bench_report(struct bench *bench, const struct bench_record *record);

/* The JSON's "context": machine, BLAS, compiler, state before; bench_about_after() adds the state after. */
void bench_about_before(struct bench *bench);
void bench_about_after(struct bench *bench);
/* Print what of it a reader of the tables has to know. */
void bench_about_print(const struct bench *bench);
/* Whether the file of --json can be written, which is better known before the run than after it; nothing
 * is written. CLI_DONE, or CLI_WRONG with the sentence printed. */
int bench_json_check(const char *path);
/* Whether a file that an option names can be written, and writing it, whole or not at all. The codes are
 * those of --json. */
int bench_file_check(const char *option, const char *path);
int bench_file_write(const char *option, const char *path, const char *text);
/* Keep the standard output for --json -; tables go to the standard error from here on. CLI_DONE, or
 * CLI_FAILED with the sentence printed. */
int bench_json_begin(struct bench *bench);
/* Write --json, whole or not at all. CLI_DONE, or CLI_FAILED with the sentence printed. */
int bench_json_write(const struct bench *bench);

/* The command line behind the mode's name. CLI_DONE, or CLI_WRONG with the sentence printed. */
int bench_options_read(const struct bench_mode *mode, int count, char **arguments,
                       struct bench_options *options, bool *help);
void bench_options_help(const struct bench_mode *mode);

/* Option number `at` of a mode, in the order of --help; `*value` is NULL for one that takes none. False past
 * the last. */
bool bench_options_at(const struct bench_mode *mode, size_t at, const char **name, const char **value,
                      const char **meaning);

/* Print completion for a shell: CLI_DONE, or CLI_WRONG with the sentence printed. */
int bench_complete(const char *shell);

#endif
