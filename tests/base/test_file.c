/* SPDX-License-Identifier: MIT */
/* Whole files: what is refused, and that a write is all or nothing. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "cmocka_prelude.h"
#include "scratch.h"

/* The C library's, for the writer too: a disk that tells of a lost write at the end only. They fail once
 * after having done their work, with the error that is set. */
static int sync_error, close_error;

static int fail_with(int *error, int result) {
    if (*error) {
        errno = *error;
        *error = 0;
        return -1;
    }
    return result;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the C library's are reserved. */
int fsync(int file) {
    return fail_with(&sync_error, (int)syscall(SYS_fsync, file));
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the C library's are reserved. */
int close(int file) {
    return fail_with(&close_error, (int)syscall(SYS_close, file));
}

/* Counts renames of a file that somebody holds locked. */
static int locks_seen;

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the C library's are reserved. */
int rename(const char *from, const char *to) {
    int file = open(from, O_RDONLY | O_CLOEXEC);
    locks_seen += file >= 0 && flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    (void)syscall(SYS_close, file);
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

static struct scratch scratch;
static struct stoa_error error;

static int open_scratch(void **state) {
    (void)state;
    scratch_open(&scratch);
    error = (struct stoa_error){0};
    return 0;
}

static int close_scratch(void **state) {
    (void)state;
    scratch_close(&scratch);
    return 0;
}

static void assert_sentence(const char *path, const char *rest) {
    char expected[sizeof error.text];
    (void)snprintf(expected, sizeof expected, "%s: %s", path, rest);
    assert_string_equal(error.text, expected);
}

static stoa_status read_back(const char *path, size_t limit, void **data, size_t *bytes) {
    *data = NULL;
    *bytes = 12345;
    return stoa_file_read(&error, path, limit, data, bytes);
}

static void assert_holds(const char *path, const void *expected, size_t expected_bytes) {
    void *data;
    size_t bytes;
    assert_int_equal(read_back(path, 1 << 20, &data, &bytes), STOA_OK);
    assert_int_equal(bytes, expected_bytes);
    assert_memory_equal(data, expected, bytes);
    free(data);
}

static void reads_what_is_there(void **state) {
    (void)state;
    assert_holds(scratch_write(&scratch, "f", "a\0b", 3), "a\0b", 3);
    void *data;
    size_t bytes;
    assert_int_equal(read_back(scratch_write(&scratch, "empty", "", 0), 0, &data, &bytes), STOA_OK);
    assert_int_equal(bytes, 0);
    free(data);
}

static void holds_the_limit(void **state) {
    (void)state;
    const char *path = scratch_write(&scratch, "f", "12345", 5);
    void *data;
    size_t bytes;
    assert_int_equal(read_back(path, 5, &data, &bytes), STOA_OK);
    free(data);
    assert_int_equal(read_back(path, 4, &data, &bytes), STOA_ERR_FORMAT);
    assert_sentence(path, "holds 5 bytes, at most 4 are read");
    assert_null(data);
    assert_int_equal(bytes, 12345);
}

static void refuses_what_is_no_file(void **state) {
    (void)state;
    void *data;
    size_t bytes;
    assert_int_equal(read_back(scratch_path(&scratch, "none"), 9, &data, &bytes), STOA_ERR_NOT_FOUND);
    assert_sentence(scratch_path(&scratch, "none"), "cannot open: No such file or directory");
    const char *file = scratch_write(&scratch, "f", "x", 1);
    assert_int_equal(read_back(scratch_path(&scratch, "f/g"), 9, &data, &bytes), STOA_ERR_NOT_FOUND);
    assert_int_equal(read_back(scratch.folder, 9, &data, &bytes), STOA_ERR_IO);
    assert_sentence(scratch.folder, "is a folder, expected a file");
    /* A pipe that nobody writes to must not hang the reader. */
    const char *pipe = scratch_path(&scratch, "pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(read_back(pipe, 9, &data, &bytes), STOA_ERR_IO);
    assert_sentence(pipe, "is a device, pipe or socket, expected a file");
    assert_int_equal(read_back("/dev/zero", 9, &data, &bytes), STOA_ERR_IO);
    assert_non_null(file);
}

static void writes_pieces_over_an_old_file(void **state) {
    (void)state;
    const char *path = scratch_write(&scratch, "f", "something longer", 16);
    const struct stoa_file_piece pieces[] = {{"ab", 2}, {NULL, 0}, {"c\0", 2}};
    mode_t old = umask(027);
    assert_int_equal(stoa_file_write(&error, path, pieces, 3), STOA_OK);
    (void)umask(old);
    assert_holds(path, "abc\0", 4);
    assert_int_equal(scratch_count(&scratch), 1);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640);
}

static void writes_into_the_current_folder(void **state) {
    (void)state;
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(chdir(scratch.folder), 0);
    const struct stoa_file_piece piece = {"x", 1};
    stoa_status status = stoa_file_write(&error, "here", &piece, 1);
    assert_int_equal(fchdir(before), 0);
    (void)close(before);
    assert_int_equal(status, STOA_OK);
    assert_holds(scratch_path(&scratch, "here"), "x", 1);
}

/* A name of 255 bytes leaves no room for a suffix. */
static void writes_the_longest_name(void **state) {
    (void)state;
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    const char *path = scratch_path(&scratch, name);
    const struct stoa_file_piece piece = {"x", 1};
    assert_int_equal(stoa_file_write(&error, path, &piece, 1), STOA_OK);
    assert_holds(path, "x", 1);
}

static void leaves_nothing_where_it_cannot_write(void **state) {
    (void)state;
    const struct stoa_file_piece piece = {"x", 1};
    const char *path = scratch_path(&scratch, "none/f");
    assert_int_equal(stoa_file_write(&error, path, &piece, 1), STOA_ERR_IO);
    assert_sentence(path, "cannot write: No such file or directory");
    assert_int_equal(stoa_file_write(&error, scratch.folder, &piece, 1), STOA_ERR_IO);
    assert_sentence(scratch.folder, "is a folder, expected a file");
    assert_int_equal(scratch_count(&scratch), 0);
    assert_int_equal(stoa_file_write(&error, "/dev/null", &piece, 1), STOA_ERR_IO);
}

/* The disk is full half way: the old file stands, and nothing beside it. */
static void keeps_the_old_file_when_writing_fails(void **state) {
    (void)state;
    const char *path = scratch_write(&scratch, "f", "old", 3);
    static char large[1 << 16];
    const struct stoa_file_piece pieces[] = {{"new", 3}, {large, sizeof large}};
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = {.rlim_cur = 4096, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    stoa_status status = stoa_file_write(&error, path, pieces, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(status, STOA_ERR_IO);
    assert_sentence(path, "cannot write: File too large");
    assert_holds(path, "old", 3);
    assert_int_equal(scratch_count(&scratch), 1);
}

static void tells_of_what_the_disk_says_last(void **state) {
    (void)state;
    static const int errors[] = {EIO, ENOSPC, EDQUOT};
    const char *path = scratch_write(&scratch, "f", "old", 3);
    const struct stoa_file_piece piece = {"newer", 5};
    for (size_t i = 0; i < 2 * sizeof errors / sizeof errors[0]; i++) {
        int *error_of = i % 2 ? &close_error : &sync_error;
        *error_of = errors[i / 2];
        assert_int_equal(stoa_file_write(&error, path, &piece, 1), STOA_ERR_IO);
        assert_int_equal(*error_of, 0);
        assert_non_null(strstr(error.text, strerror(errors[i / 2])));
        assert_holds(path, "old", 3);
        assert_int_equal(scratch_count(&scratch), 1);
    }
    assert_int_equal(stoa_file_write(&error, path, &piece, 1), STOA_OK);
    assert_holds(path, "newer", 5);
}

/* Who clears a folder of leftovers can see what is being written, until it has its name. */
static void locks_what_it_writes(void **state) {
    (void)state;
    const struct stoa_file_piece piece = {"x", 1};
    locks_seen = 0;
    assert_int_equal(stoa_file_write(&error, scratch_path(&scratch, "f"), &piece, 1), STOA_OK);
    assert_int_equal(locks_seen, 1);
}

/* A temporary that a crash left behind is not written to. */
static void steps_around_leftovers(void **state) {
    (void)state;
    char name[64];
    (void)snprintf(name, sizeof name, ".stoa-%ld-0.tmp", (long)getpid());
    const char *leftover = scratch_write(&scratch, name, "left", 4);
    const struct stoa_file_piece piece = {"x", 1};
    assert_int_equal(stoa_file_write(&error, scratch_path(&scratch, "f"), &piece, 1), STOA_OK);
    assert_holds(leftover, "left", 4);
    assert_int_equal(scratch_count(&scratch), 2);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scratch, close_scratch)
    const struct CMUnitTest tests[] = {
        TEST(reads_what_is_there),
        TEST(holds_the_limit),
        TEST(refuses_what_is_no_file),
        TEST(writes_pieces_over_an_old_file),
        TEST(writes_into_the_current_folder),
        TEST(writes_the_longest_name),
        TEST(leaves_nothing_where_it_cannot_write),
        TEST(keeps_the_old_file_when_writing_fails),
        TEST(tells_of_what_the_disk_says_last),
        TEST(locks_what_it_writes),
        TEST(steps_around_leftovers),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
