/* SPDX-License-Identifier: MIT */
/* STOA_CPU, STOA_THREADS, STOA_POLICY, STOA_TUNING, STOA_CONV and the BLAS core. Public headers only. */
#include "cli/environment.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stoa/blas.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/report.h"

static bool executed_again;

bool cli_environment_chose_blas(void) {
    return executed_again;
}

void cli_environment_choose_blas(char **arguments, const char *wanted) {
    /* Set on the way into the second execution, so that there is never a third. */
    static const char guard[] = "STOA_EXECUTED_AGAIN";
    static const char core[] = "OPENBLAS_CORETYPE";
    if (getenv(guard)) {
        (void)unsetenv(guard);
        executed_again = true;
        return;
    }
    if (getenv(core)) {
        return; /* the user's own setting always wins */
    }
    stoa_blas_info blas;
    stoa_blas_describe(&blas);
    bool is_there = wanted && (!*blas.core || strcasecmp(blas.core, wanted) == 0);
    wanted = is_there ? NULL : wanted ? wanted : blas.better_core;
    if (!wanted || setenv(core, wanted, 1) != 0) {
        return;
    }
    if (setenv(guard, "1", 1) == 0) {
        (void)execv("/proc/self/exe", arguments);
    }
    /* No /proc, or execution is forbidden: slower, not wrong. */
    (void)unsetenv(guard);
    (void)unsetenv(core);
}

static int read_isa(stoa_context_options *options) {
    const char *text = getenv("STOA_CPU");
    if (!text || !*text) {
        return CLI_DONE;
    }
    char names[256];
    size_t length = 0;
    for (int isa = 0; isa < STOA_ISA_COUNT; isa++) {
        const char *name = stoa_isa_name((stoa_isa)isa);
        if (strcmp(text, name) == 0) {
            options->highest_isa = (stoa_isa)isa;
            options->limit_isa = true;
            return CLI_DONE;
        }
        const char *before = isa == 0 ? "" : isa + 1 < STOA_ISA_COUNT ? ", " : " or ";
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s", before, name);
    }
    return cli_fail(CLI_WRONG, "STOA_CPU: found '%s', expected %s", text, names);
}

static int read_policy(stoa_context_options *options) {
    const char *text = getenv("STOA_POLICY");
    if (!text || !*text) {
        return CLI_DONE;
    }
    const char *name;
    for (int policy = 0; (name = stoa_policy_name((stoa_policy)policy)) != NULL; policy++) {
        if (strcmp(text, name) == 0) {
            options->policy = (stoa_policy)policy;
            return CLI_DONE;
        }
    }
    return cli_fail(CLI_WRONG, "STOA_POLICY: found '%s', expected default, exact or blas", text);
}

int cli_environment_read(stoa_context_options *options) {
    const char *text = getenv("STOA_THREADS");
    uint64_t threads;
    if (text && *text) {
        if (!cli_read_count(text, 1, CLI_MOST_THREADS, &threads)) {
            return cli_fail(CLI_WRONG, "STOA_THREADS: found '%s', expected a whole number from 1 to %d", text,
                            CLI_MOST_THREADS);
        }
        options->threads = (size_t)threads;
    }
    int code = read_isa(options);
    return code != CLI_DONE ? code : read_policy(options);
}

int cli_environment_set(stoa_context *context) {
    const char *text = getenv("STOA_TUNING");
    if (text && *text && stoa_context_set_tuning(context, text) != STOA_OK) {
        return cli_fail(CLI_WRONG, "STOA_TUNING: %s", stoa_context_error(context));
    }
    text = getenv("STOA_CONV");
    if (text && *text && stoa_context_set_conv(context, text) != STOA_OK) {
        return cli_fail(CLI_WRONG, "STOA_CONV: %s", stoa_context_error(context));
    }
    return CLI_DONE;
}

/* A model file opened in the place of a closed stdout would get the command's output written into it. The
 * stand-ins are opened the wrong way round, so that reading and writing fail and are noticed. */
void cli_environment_occupy_standard_files(void) {
    for (int descriptor = 0; descriptor < 3; descriptor++) {
        if (fcntl(descriptor, F_GETFD) == -1) {
            (void)open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
        }
    }
}
