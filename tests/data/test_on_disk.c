/* SPDX-License-Identifier: MIT */
/* Sets larger than the memory they are given: each sample once an epoch, in an order that follows from the
 * seed, the right values, and never more of the file in memory than was allowed. A file that changes
 * meanwhile is an error. */
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stoa/data.h>
#include <stoa/train.h>

#include "../base/cmocka_prelude.h"
#include "../base/scratch.h"

/* 24 MiB of samples; 2 MiB of memory, so that a window has 2048 samples. */
enum { COUNT = 49152, SIZE = 512, MEMORY = 2 << 20, WINDOW = MEMORY / 2 / SIZE, BATCH = 100 };

static struct scratch scratch;
static stoa_context *context;
static size_t order[COUNT], other[COUNT];
static bool seen[COUNT];

static int set_up(void **state) {
    (void)state;
    scratch_open(&scratch);
    memset(seen, 0, sizeof seen);
    return stoa_context_create(NULL, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    scratch_close(&scratch);
    return 0;
}

static uint8_t byte_of(size_t sample, size_t at) {
    return (uint8_t)(at < 4 ? sample >> 8 * at : sample * 7 + at);
}

static void write_head(FILE *file, uint32_t magic, uint32_t rank, const uint32_t size[]) {
    for (uint32_t i = 0; i <= rank; i++) {
        uint32_t value = i == 0 ? magic : size[i - 1];
        const uint8_t bytes[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                                 (uint8_t)value};
        assert_int_equal(fwrite(bytes, 1, 4, file), 4);
    }
}

static void write_samples(FILE *file) {
    uint8_t sample[SIZE];
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < SIZE; j++) {
            sample[j] = byte_of(i, j);
        }
        assert_int_equal(fwrite(sample, 1, SIZE, file), SIZE);
    }
    assert_int_equal(fclose(file), 0);
}

static void write_labels(FILE *file) {
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_not_equal(fputc((int)(i % 10), file), EOF);
    }
    assert_int_equal(fclose(file), 0);
}

static FILE *create(const char *name) {
    FILE *file = fopen(scratch_path(&scratch, name), "wb");
    assert_non_null(file);
    return file;
}

static void write_idx(void) {
    const uint32_t size[] = {COUNT, 16, 32};
    static const char *const images[] = {"train-images-idx3-ubyte", "t10k-images-idx3-ubyte"};
    static const char *const labels[] = {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"};
    for (int part = 0; part < 2; part++) {
        FILE *file = create(images[part]);
        write_head(file, 0x803, 3, size);
        write_samples(file);
        file = create(labels[part]);
        write_head(file, 0x801, 1, size);
        write_labels(file);
    }
}

static void write_npy_head(FILE *file, const char *shape) {
    char text[119];
    int length = snprintf(text, sizeof text, "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, %s)}",
                          COUNT, shape);
    assert_true(length > 0 && length < 118);
    memset(text + length, ' ', 117 - (size_t)length);
    text[117] = '\n';
    assert_int_equal(fwrite("\x93NUMPY\1\0\x76\0", 1, 10, file), 10);
    assert_int_equal(fwrite(text, 1, 118, file), 118);
}

static void write_npy(void) {
    FILE *file = create("x.npy");
    write_npy_head(file, "16, 32");
    write_samples(file);
    file = create("y.npy");
    write_npy_head(file, "");
    write_labels(file);
}

/* KiB of this process in memory; 0 where the system does not tell. */
static size_t resident(void) {
    char text[4096];
    /* No stream: a sanitizer keeps what those give back. */
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) {
        (void)close(file);
    }
    text[length > 0 ? length : 0] = '\0';
    const char *line = strstr(text, "\nVmRSS:");
    return line ? strtoul(line + 7, NULL, 10) : 0;
}

/* Before a set is opened; the arrays of this test are there by then. */
static size_t before;

static void note_resident(void) {
    memset(order, 1, sizeof order);
    memset(other, 1, sizeof other);
    before = resident();
}

/* What is allowed, and 2 MiB for labels, pages of the program and what a sanitizer notes of them: the file
 * has 24. */
static void check_resident(void) {
    size_t now = resident();
    if (before > 0 && now > before + MEMORY / 1024 + 2048) {
        fail_msg("%zu KiB came on top of %zu, expected at most %d", now - before, before,
                 MEMORY / 1024 + 2048);
    }
}

static void check_sample(size_t number, const float *values, int32_t label) {
    assert_int_equal(label, number % 10);
    for (size_t j = 0; j < SIZE; j += 37) {
        assert_float_equal(values[j] * 255, byte_of(number, j), 1e-3F);
    }
    size_t found = 0;
    for (size_t j = 0; j < 4; j++) {
        found |= (size_t)(values[j] * 255 + 0.5F) << 8 * j;
    }
    assert_int_equal(found, number);
}

/* Go through an epoch in batches; of `numbers`, the samples' numbers in the file, each comes once. */
static void run_epoch(const stoa_dataset *dataset, const size_t *index, size_t count) {
    static float values[BATCH * SIZE];
    int32_t labels[BATCH];
    for (size_t first = 0; first < count; first += BATCH) {
        size_t samples = count - first < BATCH ? count - first : BATCH;
        stoa_dataset_read(dataset, index ? index + first : NULL, first, samples, values, labels);
        for (size_t i = 0; i < samples; i++) {
            const float *sample = values + i * SIZE;
            size_t number = (size_t)(sample[0] * 255 + 0.5F) | (size_t)(sample[1] * 255 + 0.5F) << 8;
            check_sample(number, sample, labels[i]);
            assert_false(seen[number]);
            seen[number] = true;
        }
        check_resident();
    }
}

static void fill_order(size_t *out, size_t count) {
    for (size_t i = 0; i < count; i++) {
        out[i] = i;
    }
}

static stoa_dataset *open_set(bool part) {
    const stoa_data_options options = {.memory = MEMORY, .whole = !part};
    stoa_dataset *train = NULL, *test = NULL;
    note_resident();
    if (stoa_dataset_load(context, scratch.folder, &options, part ? &train : NULL, &test) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    if (part) {
        stoa_dataset_free(test);
    }
    return part ? train : test;
}

static void check_epochs(stoa_dataset *dataset) {
    size_t moved = 0, count = stoa_dataset_count(dataset);
    for (size_t epoch = 1; epoch <= 3; epoch++) {
        memset(seen, 0, sizeof seen);
        fill_order(order, count);
        stoa_dataset_shuffle(dataset, 7, epoch, order, count);
        run_epoch(dataset, order, count);
        for (size_t i = 0; i < count; i++) {
            size_t far = order[i] > i ? order[i] - i : i - order[i];
            assert_true(far < WINDOW);
            moved += far > WINDOW / 8;
        }
        /* The same again; another epoch and another seed give another order. */
        fill_order(other, count);
        stoa_dataset_shuffle(dataset, 7, epoch, other, count);
        assert_memory_equal(order, other, count * sizeof *order);
        fill_order(other, count);
        stoa_dataset_shuffle(dataset, 7, epoch + 1, other, count);
        assert_memory_not_equal(order, other, count * sizeof *order);
        fill_order(other, count);
        stoa_dataset_shuffle(dataset, 8, epoch, other, count);
        assert_memory_not_equal(order, other, count * sizeof *order);
    }
    assert_true(moved > count);
    memset(seen, 0, sizeof seen);
    run_epoch(dataset, NULL, count);
    stoa_dataset_free(dataset);
}

static void reads_idx(void **state) {
    (void)state;
    write_idx();
    check_epochs(open_set(false));
}

static void reads_npy(void **state) {
    (void)state;
    write_npy();
    check_epochs(open_set(false));
    check_epochs(open_set(true));
}

/* An order that jumps through all of the file is slow, and bounded too. */
static void bounds_any_order(void **state) {
    (void)state;
    write_npy();
    stoa_dataset *dataset = open_set(false);
    for (size_t i = 0; i < COUNT; i++) {
        order[i] = i * 12289 % COUNT;
    }
    run_epoch(dataset, order, 3000);
    float mean, deviation;
    stoa_dataset_free(dataset);
    const stoa_data_options flat = {.memory = MEMORY, .unlabelled = true};
    assert_int_equal(stoa_dataset_load(context, scratch_path(&scratch, "y.npy"), &flat, NULL, &dataset),
                     STOA_OK);
    assert_int_equal(stoa_dataset_measure(dataset, &mean, &deviation), STOA_OK);
    check_resident();
    assert_true(mean > 0 && deviation > 0);
    stoa_dataset_free(dataset);
}

/* Of data in memory, any order of all samples. */
static void shuffles_all_in_memory(void **state) {
    (void)state;
    write_npy();
    stoa_dataset *dataset = NULL;
    size_t far = 0;
    const stoa_data_options roomy = {.memory = (size_t)64 << 20, .whole = true};
    assert_int_equal(stoa_dataset_load(context, scratch.folder, &roomy, NULL, &dataset), STOA_OK);
    fill_order(order, COUNT);
    stoa_dataset_shuffle(dataset, 7, 1, order, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
        far += order[i] > i + 4 * WINDOW;
    }
    assert_true(far > COUNT / 10);
    stoa_dataset_free(dataset);
}

static void expect_failure(const char *path, const char *sentence) {
    stoa_dataset *test = NULL;
    const stoa_data_options options = {.memory = MEMORY, .whole = true};
    stoa_status status = stoa_dataset_load(context, path, &options, NULL, &test);
    assert_int_not_equal(status, STOA_OK);
    if (!strstr(stoa_context_error(context), sentence)) {
        assert_string_equal(stoa_context_error(context), sentence);
    }
    assert_null(test);
}

static void refuses(void **state) {
    (void)state;
    write_idx();
    assert_int_equal(truncate(scratch_path(&scratch, "t10k-images-idx3-ubyte"), 16 + (off_t)SIZE * COUNT - 1),
                     0);
    expect_failure(scratch.folder,
                   "t10k-images-idx3-ubyte: truncated: only 25165823 bytes found after the header, which "
                   "announces 25165824");
    assert_int_equal(truncate(scratch_path(&scratch, "t10k-images-idx3-ubyte"), 16 + (off_t)SIZE * COUNT + 1),
                     0);
    expect_failure(scratch.folder, "t10k-images-idx3-ubyte: longer than its header says: ");
    FILE *file = fopen(scratch_path(&scratch, "t10k-images-idx3-ubyte"), "r+b");
    assert_non_null(file);
    assert_int_equal(fwrite("\x1F\x8B", 1, 2, file), 2);
    assert_int_equal(fclose(file), 0);
    expect_failure(scratch.folder,
                   "t10k-images-idx3-ubyte: packed into 25165841 bytes, expected no more than the memory "
                   "of 2097152");
    expect_failure("digits",
                   "digits: its samples take 9408000 bytes, expected no more than the memory of 2097152");
    (void)scratch_write(&scratch, "large.csv", "", 0);
    write_npy();
    assert_int_equal(truncate(scratch_path(&scratch, "x.npy"), 4 << 20), 0);
    assert_int_equal(unlink(scratch_path(&scratch, "large.csv")), 0);
    expect_failure(scratch.folder,
                   "x.npy: 4194176 bytes of values at offset 128, expected 25165824 as its shape says");
}

/* ---- files that change ---- */

/* What others may do to a file of samples meanwhile. */
static void shrink(const char *path) {
    assert_int_equal(truncate(path, 4 << 20), 0);
}

static void empty(const char *path) {
    assert_int_equal(truncate(path, 0), 0);
}

static void grow(const char *path) {
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    assert_int_not_equal(fputc(0, file), EOF);
    assert_int_equal(fclose(file), 0);
}

static void overwrite(const char *path) {
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -1, SEEK_END), 0);
    assert_int_not_equal(fputc(7, file), EOF);
    assert_int_equal(fclose(file), 0);
}

static const struct {
    void (*change)(const char *path);
    const char *what;
} changes[] = {{shrink, "shrinks"}, {empty, "is emptied"}, {grow, "grows"}, {overwrite, "is written to"}};
enum { CHANGES = sizeof changes / sizeof changes[0] };

static void expect_changed(stoa_status status, const char *what, const char *begin) {
    const char *sentence = stoa_context_error(context);
    if (status != STOA_ERR_IO || strncmp(sentence, begin, strlen(begin)) != 0 ||
        !strstr(sentence,
                "x.npy: changed while it was in use, expected the 25165952 bytes that were opened")) {
        fail_msg("%s: status %d, '%s'", what, (int)status, sentence);
    }
}

static void notices_changes(void **state) {
    (void)state;
    for (size_t c = 0; c < CHANGES; c++) {
        float values[SIZE], mean, deviation;
        int32_t label;
        write_npy();
        stoa_dataset *dataset = open_set(false);
        stoa_dataset_read(dataset, NULL, COUNT - 1, 1, values, &label);
        assert_int_equal(stoa_dataset_check(dataset), STOA_OK);
        changes[c].change(scratch_path(&scratch, "x.npy"));
        assert_int_equal(stoa_dataset_check(dataset), STOA_OK); /* nothing was read since */
        stoa_dataset_read(dataset, NULL, COUNT - 1, 1, values, &label);
        for (size_t i = 0; i < SIZE; i++) {
            assert_true(isnan(values[i]));
        }
        expect_changed(stoa_dataset_check(dataset), changes[c].what, "/");
        expect_changed(stoa_dataset_measure(dataset, &mean, &deviation), changes[c].what, "/");
        stoa_dataset_free(dataset);
    }
}

/* Another file under the old name leaves the old one as it is. */
static void keeps_a_file_that_is_replaced(void **state) {
    (void)state;
    static float values[SIZE];
    int32_t label;
    write_npy();
    stoa_dataset *dataset = open_set(false);
    const char *other_file = scratch_write(&scratch, "other", "x", 1);
    assert_int_equal(rename(other_file, scratch_path(&scratch, "x.npy")), 0);
    stoa_dataset_read(dataset, NULL, COUNT - 1, 1, values, &label);
    check_sample(COUNT - 1, values, label);
    assert_int_equal(stoa_dataset_check(dataset), STOA_OK);
    stoa_dataset_free(dataset);
}

static bool change_at_step(void *user, const stoa_progress *progress) {
    void (*const *change)(const char *path) = user;
    if (progress->step == 3) {
        (*change)(scratch_path(&scratch, "x.npy"));
    }
    return false;
}

static stoa_model *make_model(void) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 16, 32, 1);
    stoa_model_add(model, "f", "flatten");
    stoa_model_add(model, "l", "linear units=10");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 1), STOA_OK);
    return model;
}

/* Training ends with the step that would have used other samples, prepared by another thread or not. */
static void ends_training(void **state) {
    (void)state;
    for (size_t c = 0; c < 2 * CHANGES; c++) {
        const stoa_train_options options = {.batch = BATCH, .augment = c < CHANGES ? NULL : "shift=1"};
        stoa_evaluation evaluation;
        void (*change)(const char *path) = changes[c % CHANGES].change;
        write_npy();
        stoa_dataset *dataset = open_set(false);
        stoa_model *model = make_model();
        stoa_status status = stoa_train(context, model, dataset, NULL, &options,
                                        &(stoa_train_callbacks){.progress = change_at_step, .user = &change});
        expect_changed(status, changes[c % CHANGES].what, "epoch 1, step ");
        status = stoa_evaluate(context, model, dataset, BATCH, NULL, &evaluation);
        expect_changed(status, changes[c % CHANGES].what, "/");
        stoa_model_free(model);
        stoa_dataset_free(dataset);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(reads_idx),
                                       TEST(reads_npy),
                                       TEST(bounds_any_order),
                                       TEST(shuffles_all_in_memory),
                                       TEST(refuses),
                                       TEST(notices_changes),
                                       TEST(keeps_a_file_that_is_replaced),
                                       TEST(ends_training)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
