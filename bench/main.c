/* SPDX-License-Identifier: MIT */
/* stoa-bench: picks the mode, prepares machine and context, runs it, and writes the results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <regex.h>

#include "base/scratch.h"
#include "bench/bench.h"
#include "bench/columns.h"
#include "bench/modes.h"
#include "bench/trace.h"
#include "blas/blas.h"
#include "cli/environment.h"
#include "cli/signals.h"

#define BENCH_ADDRESS(name) &bench_mode_##name,
static const struct bench_mode *const modes[] = {BENCH_MODES(BENCH_ADDRESS)};
#undef BENCH_ADDRESS
enum { MODES = sizeof modes / sizeof modes[0] };

static int print_help(void) {
    (void)puts("stoa-bench measures this build of Stoa on this machine.\n\n"
               "Usage: stoa-bench MODE [arguments]\n\nModes:");
    for (size_t i = 0; i < MODES; i++) {
        (void)printf("  %-8s %s\n", modes[i]->name, modes[i]->summary);
    }
    (void)puts(
        "\n'stoa-bench MODE --help' explains one; 'stoa-bench completion bash|zsh|fish' prints what a shell "
        "completes with. Exit status: 0 done; 1 a result was wrong or the "
        "run failed;\n"
        "2 the request was wrong; 130 (SIGINT) or 143 (SIGTERM) interrupted, what was measured is "
        "kept.\n\n"
        "Begin with: stoa-bench layers --filter lenet");
    return CLI_DONE;
}

static int unknown_mode(const char *name) {
    const char *names[MODES];
    for (size_t i = 0; i < MODES; i++) {
        names[i] = modes[i]->name;
    }
    const char *nearest = stoa_nearest(name, names, MODES);
    return nearest ? cli_fail(CLI_WRONG, "%s: unknown mode, did you mean '%s'?", name, nearest)
                   : cli_fail(CLI_WRONG, "%s: unknown mode, 'stoa-bench --help' lists them", name);
}

bool bench_wanted(const struct bench *bench, const char *name) {
    return !cli_stop_signal() && (!bench->filter || regexec(bench->filter, name, 0, NULL, 0) == 0);
}

static int compile_filter(struct bench *bench, regex_t *filter) {
    const char *text = bench->options.filter;
    if (!text) {
        return CLI_DONE;
    }
    int error = regcomp(filter, text, REG_EXTENDED | REG_NOSUB);
    if (error != 0) {
        char reason[128];
        (void)regerror(error, filter, reason, sizeof reason);
        return cli_fail(CLI_WRONG, "--filter: found '%s', expected an extended regular expression: %s", text,
                        reason);
    }
    bench->filter = filter;
    return CLI_DONE;
}

int bench_context_create(const struct bench *bench, size_t threads, stoa_context **context) {
    const struct bench_options *options = &bench->options;
    stoa_context_options wanted = {0};
    int code = cli_environment_read(&wanted);
    if (code != CLI_DONE) {
        return code;
    }
    wanted.threads = threads ? threads : options->threads ? options->threads : wanted.threads;
    if (options->is_held) {
        wanted.highest_isa = options->highest;
        wanted.limit_isa = true;
    }
    wanted.policy = options->policy_given ? options->policy : wanted.policy;
    stoa_status status = stoa_context_create(&wanted, context);
    if (status != STOA_OK) {
        return cli_fail(cli_code_of(status), "context: %s", stoa_status_text(status));
    }
    code = cli_environment_set(*context);
    if (code != CLI_DONE) {
        stoa_context_free(*context);
        *context = NULL;
    }
    return code;
}

static int write_results(const struct bench *bench) {
    int code = bench_json_write(bench);
    int traced = bench_trace_write(bench);
    return code == CLI_DONE ? traced : code;
}

/* Run a mode until it ends or a signal asks it to; what it has measured by then is kept. */
static int run_mode(const struct bench_mode *mode, struct bench *bench) {
    cli_listen_for_signals();
    bench_about_before(bench);
    bench_about_print(bench);
    int code = mode->run(bench);
    bench_about_after(bench);
    int stopped = cli_stop_signal();
    if (stopped) {
        cli_json_set(bench->about, "interrupted", json_true());
    }
    /* A file of earlier results is not exchanged for one of none. */
    bool nothing = code == CLI_WRONG || (stopped && bench->records == 0);
    int written = nothing ? CLI_DONE : write_results(bench);
    if (stopped && code != CLI_SIGNAL + stopped && written == CLI_DONE) {
        code = cli_fail(CLI_SIGNAL + stopped, "interrupted: %zu results are measured", bench->records);
    }
    return written == CLI_DONE ? code : written;
}

static int measure(const struct bench_mode *mode, struct bench *bench) {
    const struct bench_options *options = &bench->options;
    int code = bench_context_create(bench, 0, &bench->context);
    if (code == CLI_DONE && !options->list) {
        code = bench_json_begin(bench);
    }
    if (code != CLI_DONE) {
        stoa_context_free(bench->context);
        return code;
    }
    bench->threads = stoa_context_threads(bench->context);
    /* The library's public calls and its parallel loops do this for themselves; the bench calls the floors
     * below too. */
    static _Alignas(64) float scratch[STOA_SCRATCH_FLOATS];
    (void)stoa_scratch_use(scratch);
    stoa_blas_enter();
    code = options->list || options->serve ? mode->run(bench) : run_mode(mode, bench);
    stoa_blas_leave();
    stoa_context_free(bench->context);
    return code;
}

static int check_outputs(const struct bench_options *options) {
    int code = bench_json_check(options->json);
    return code == CLI_DONE && options->trace ? bench_file_check("trace", options->trace) : code;
}

static int run(const struct bench_mode *mode, int count, char **arguments, char **all) {
    /* The parser sorts the arguments; another execution needs them as they came. */
    char **copy = cli_allocate((size_t)count + 1, sizeof *copy);
    memcpy(copy, arguments, (size_t)count * sizeof *copy);
    struct bench bench = {.arguments = all};
    regex_t filter;
    bool help = false;
    int code = bench_options_read(mode, count, copy, &bench.options, &help);
    cli_table_style(bench.options.wide ? 0 : BENCH_LINE, bench.options.markdown);
    if (code == CLI_DONE && help) {
        bench_options_help(mode);
    } else if (code == CLI_DONE && (code = compile_filter(&bench, &filter)) == CLI_DONE &&
               (code = mode->check ? mode->check(&bench.options) : CLI_DONE) == CLI_DONE &&
               (code = check_outputs(&bench.options)) == CLI_DONE) {
        bench.about = cli_json_object();
        bench.results = cli_json_array();
        bench.trace = cli_json_array();
        if (mode->measures) {
            cli_environment_choose_blas(all, bench_held_core(&bench.options));
        }
        code = mode->measures ? measure(mode, &bench) : mode->run(&bench);
        json_decref(bench.about);
        json_decref(bench.results);
        json_decref(bench.trace);
    }
    if (bench.filter) {
        regfree(bench.filter);
    }
    free(copy);
    return code;
}

static int dispatch(int count, char **arguments) {
    if (count < 2) {
        return cli_fail(CLI_WRONG, "mode missing, 'stoa-bench --help' lists them");
    }
    const char *name = arguments[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return print_help();
    }
    if (strcmp(name, "completion") == 0) {
        return count == 3 ? bench_complete(arguments[2])
                          : cli_fail(CLI_WRONG, "completion: expected stoa-bench completion bash|zsh|fish");
    }
    for (size_t i = 0; i < MODES; i++) {
        if (strcmp(modes[i]->name, name) == 0) {
            return run(modes[i], count - 2, arguments + 2, arguments);
        }
    }
    return name[0] == '-' ? cli_fail(CLI_WRONG, "%s: unknown option, expected a mode or --help", name)
                          : unknown_mode(name);
}

int main(int count, char **arguments) {
    cli_environment_occupy_standard_files();
    cli_ignore_signals();
    return cli_finish_output(dispatch(count, arguments));
}
