/* SPDX-License-Identifier: MIT */
/* The end of the output: what a file system tells of it last, and whom it is told. */
#include "cli/report.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/cmocka_prelude.h"
#include "cli/command.h"

/* The C library's, for the command too; it fails with the error that is set, after having done its work. */
static int close_error;

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the C library's are reserved. */
int close(int file) {
    int result = (int)syscall(SYS_close, file);
    if (close_error && file == STDOUT_FILENO) {
        errno = close_error;
        return -1;
    }
    return result;
}

/* End a process with this code whose output is the pipe's, read from or not; what it says on stderr. */
static int finish(int code, int error, bool read_from, char *said, size_t size) {
    int output[2], errors[2], go[2], status = 0;
    assert_int_equal(pipe(output) | pipe(errors) | pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(output[1], STDOUT_FILENO);
        (void)dup2(errors[1], STDERR_FILENO);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)close(output[0]);
        (void)close(output[1]);
        (void)close(errors[1]);
        (void)close(go[1]);
        /* Until the parent has closed what it does not read. */
        while (read(go[0], said, 1) > 0) {
        }
        (void)puts("a result");
        close_error = error;
        _exit(cli_finish_output(code));
    }
    (void)close(output[1]);
    (void)close(errors[1]);
    (void)close(go[0]);
    if (!read_from) {
        (void)close(output[0]);
    }
    (void)close(go[1]);
    ssize_t bytes = read(errors[0], said, size - 1);
    said[bytes > 0 ? bytes : 0] = '\0';
    assert_int_equal(waitpid(child, &status, 0), child);
    if (read_from) {
        (void)close(output[0]);
    }
    (void)close(errors[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void tells_of_a_close_that_failed(void **state) {
    (void)state;
    static const int errors[] = {EIO, ENOSPC, EDQUOT};
    char said[256], expected[256];
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        (void)snprintf(expected, sizeof expected, "stoa: standard output: %s\n", strerror(errors[i]));
        assert_int_equal(finish(CLI_DONE, errors[i], true, said, sizeof said), CLI_FAILED);
        assert_string_equal(said, expected);
        assert_int_equal(finish(CLI_WRONG, errors[i], true, said, sizeof said), CLI_WRONG);
        assert_string_equal(said, "");
    }
    assert_int_equal(finish(CLI_DONE, 0, true, said, sizeof said), CLI_DONE);
    assert_string_equal(said, "");
}

static void says_nothing_to_whom_reads_no_more(void **state) {
    (void)state;
    char said[256];
    assert_int_equal(finish(CLI_DONE, 0, false, said, sizeof said), CLI_FAILED);
    assert_string_equal(said, "");
    assert_int_equal(finish(CLI_SIGNAL + SIGINT, 0, false, said, sizeof said), CLI_SIGNAL + SIGINT);
    assert_string_equal(said, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_of_a_close_that_failed),
        cmocka_unit_test(says_nothing_to_whom_reads_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
