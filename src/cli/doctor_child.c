/* SPDX-License-Identifier: MIT */
/* A second process that measures another BLAS core: OpenBLAS reads OPENBLAS_CORETYPE when it is loaded. Floor
 * 9: public headers only. */
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/report.h"

static const char CORE[] = "OPENBLAS_CORETYPE";

/* Tells the second process what it is for. */
static const char ASKED[] = "STOA_DOCTOR_ASKED";

bool doctor_is_asked(void) {
    return getenv(ASKED) != NULL;
}

int doctor_answer(double gflops) {
    json_t *answer = cli_json_object();
    cli_json_set(answer, "gemm.gflops", cli_json_number(gflops));
    cli_json_print(answer);
    return CLI_DONE;
}

/* Start this program again, its output in a pipe. Returns the pipe's end, -1 when it cannot be started. */
static int start(char *const arguments[], pid_t *process) {
    int ends[2];
    posix_spawn_file_actions_t files;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    bool started = posix_spawn_file_actions_init(&files) == 0;
    if (started) {
        started = posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO) == 0 &&
                  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
                  posix_spawn(process, "/proc/self/exe", &files, NULL, arguments, environ) == 0;
        (void)posix_spawn_file_actions_destroy(&files);
    }
    (void)close(ends[1]);
    if (!started) {
        (void)close(ends[0]);
        return -1;
    }
    return ends[0];
}

static double read_answer(int pipe) {
    FILE *file = fdopen(pipe, "r");
    if (!file) {
        (void)close(pipe);
        return 0;
    }
    cli_json_begin_reading();
    json_t *answer = json_loadf(file, 0, NULL);
    cli_json_end_reading();
    double gflops = json_number_value(json_object_get(answer, "gemm.gflops"));
    json_decref(answer);
    (void)fclose(file);
    return gflops > 0 ? gflops : 0;
}

double doctor_ask_core(const char *core, size_t threads, double seconds) {
    const char *before = getenv(CORE);
    char *old = before ? cli_text("%s", before) : NULL;
    char *thread_count = cli_text("%zu", threads), *time = cli_text("%.3f", fmax(seconds, 0.1));
    char name[] = "stoa", command[] = "doctor", option_threads[] = "--threads",
         option_seconds[] = "--seconds";
    char *const arguments[] = {name, command, option_threads, thread_count, option_seconds, time, NULL};
    pid_t process = -1;
    int pipe = -1;
    double gflops = 0;
    if (setenv(CORE, core, 1) == 0 && setenv(ASKED, "1", 1) == 0) {
        pipe = start(arguments, &process);
    }
    (void)unsetenv(ASKED);
    (void)(old ? setenv(CORE, old, 1) : unsetenv(CORE));
    if (pipe >= 0) {
        int code = 0;
        gflops = read_answer(pipe);
        if (waitpid(process, &code, 0) != process || code != 0) {
            gflops = 0;
        }
    }
    free(old);
    free(thread_count);
    free(time);
    return gflops;
}
