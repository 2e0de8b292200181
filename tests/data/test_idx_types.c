/* SPDX-License-Identifier: MIT */
/* IDX files of every type and number of dimensions, as samples and as labels, and sets as the many copies of
 * MNIST lay them out. */
#include <math.h>
#include <stoa/data.h>

#include "idx_pair.h"
#include "picture_folders.h"

static const struct {
    uint8_t code;
    size_t bytes;
} types[] = {{0x08, 1}, {0x09, 1}, {0x0B, 2}, {0x0C, 4}, {0x0D, 4}, {0x0E, 8}};
enum { TYPES = sizeof types / sizeof types[0] };

struct file {
    uint8_t bytes[2000];
    size_t used;
};

/* Value `at` of any array: small whole numbers, negative ones where the type has them, and halves of
 * floats. */
static double value_of(uint8_t code, size_t at) {
    const double whole = (double)(at * 7 % 100);
    return code == 0x08 ? whole : code < 0x0D ? whole - 50 : (whole - 50) / 2;
}

static void put_value(struct file *file, uint8_t code, size_t bytes, double value) {
    uint64_t bits = (uint64_t)(int64_t)value;
    if (code == 0x0D) {
        const float number = (float)value;
        uint32_t narrow;
        memcpy(&narrow, &number, sizeof narrow);
        bits = narrow;
    } else if (code == 0x0E) {
        memcpy(&bits, &value, sizeof bits);
    }
    for (size_t i = bytes; i-- > 0;) {
        file->bytes[file->used++] = (uint8_t)(bits >> (8 * i));
    }
}

static struct file begin(uint8_t code, size_t rank, const uint32_t *size) {
    struct file file = {.used = 4 + 4 * rank};
    put32(file.bytes, (uint32_t)code << 8 | (uint32_t)rank);
    for (size_t i = 0; i < rank; i++) {
        put32(file.bytes + 4 + 4 * i, size[i]);
    }
    return file;
}

static stoa_status open(const struct file *images, const struct file *labels, stoa_dataset **dataset) {
    return stoa_dataset_from_idx_memory(context, images->bytes, images->used, labels->bytes, labels->used, 3,
                                        dataset);
}

/* Six labels that are 0, 1, 2 in turn. */
static struct file make_labels(size_t type) {
    struct file file = begin(types[type].code, 1, (const uint32_t[]){6});
    for (int i = 0; i < 6; i++) {
        put_value(&file, types[type].code, types[type].bytes, i % 3);
    }
    return file;
}

static void reads_all_types_and_ranks(void **state) {
    (void)state;
    static const struct {
        uint32_t size[4];
        size_t shape[3];
    } ranks[] = {{{6}, {1, 1, 1}}, {{6, 5}, {1, 1, 5}}, {{6, 2, 3}, {2, 3, 1}}, {{6, 2, 2, 3}, {2, 2, 3}}};
    for (size_t type = 0; type < TYPES; type++) {
        const uint8_t code = types[type].code;
        for (size_t rank = 1; rank <= 4; rank++) {
            struct file images = begin(code, rank, ranks[rank - 1].size),
                        labels = make_labels((type + rank) % TYPES);
            const size_t *shape = ranks[rank - 1].shape, values = shape[0] * shape[1] * shape[2];
            size_t found[3];
            float out[6 * 12];
            int32_t read[6];
            stoa_dataset *dataset = NULL;
            for (size_t i = 0; i < 6 * values; i++) {
                put_value(&images, code, types[type].bytes, value_of(code, i));
            }
            if (open(&images, &labels, &dataset) != STOA_OK) {
                fail_msg("%s", stoa_context_error(context));
            }
            stoa_dataset_shape(dataset, &found[0], &found[1], &found[2]);
            assert_memory_equal(found, shape, sizeof found);
            assert_int_equal(stoa_dataset_is_pixels(dataset), code == 0x08);
            stoa_dataset_read(dataset, NULL, 0, 6, out, read);
            for (size_t i = 0; i < 6 * values; i++) {
                assert_float_equal(out[i], (float)value_of(code, i) / (code == 0x08 ? 255.0F : 1.0F), 1e-6F);
            }
            for (int i = 0; i < 6; i++) {
                assert_int_equal(read[i], i % 3);
            }
            stoa_dataset_free(dataset);
        }
    }
}

static void expect_refused(const struct file *images, const struct file *labels, const char *sentence) {
    stoa_dataset *dataset = NULL;
    assert_int_equal(open(images, labels, &dataset), STOA_ERR_FORMAT);
    assert_string_equal(stoa_context_error(context), sentence);
    assert_null(dataset);
}

static void refuses_values(void **state) {
    (void)state;
    struct file images = begin(0x0D, 2, (const uint32_t[]){6, 2}), labels = make_labels(0);
    for (int i = 0; i < 12; i++) {
        put_value(&images, 0x0D, 4, i == 7 ? (double)NAN : i);
    }
    expect_refused(
        &images, &labels,
        "images in memory: value 7 at offset 40 is nan, expected a finite number of single precision");
    images = begin(0x0B, 1, (const uint32_t[]){6});
    for (int i = 0; i < 6; i++) {
        put_value(&images, 0x0B, 2, i);
    }
    labels = begin(0x0E, 1, (const uint32_t[]){6});
    for (int i = 0; i < 6; i++) {
        put_value(&labels, 0x0E, 8, i == 4 ? 0.5 : 1);
    }
    expect_refused(&images, &labels,
                   "labels in memory: label 4 is 0.5, expected the number of a class, from 0; task = "
                   "regression in [data] takes numbers");
    labels = begin(0x0C, 1, (const uint32_t[]){6});
    for (int i = 0; i < 6; i++) {
        put_value(&labels, 0x0C, 4, i == 5 ? -2 : 1);
    }
    expect_refused(&images, &labels, "labels in memory: label 5 is -2, expected 0 to 2");
    labels = begin(0x0C, 1, (const uint32_t[]){0x20000000});
    expect_refused(
        &images, &labels,
        "labels in memory: truncated: only 0 bytes found after the header, which announces 2147483648");
    /* One-hot rows are labels too. */
    labels = begin(0x08, 2, (const uint32_t[]){6, 3});
    for (int i = 0; i < 18; i++) {
        put_value(&labels, 0x08, 1, i % 3 == i / 3 % 3);
    }
    stoa_dataset *dataset = NULL;
    float out[6];
    int32_t read[6];
    assert_int_equal(open(&images, &labels, &dataset), STOA_OK);
    stoa_dataset_read(dataset, NULL, 0, 6, out, read);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(read[i], i % 3);
    }
    stoa_dataset_free(dataset);
}

/* Numbers as targets, where the task takes them. */
static void reads_targets(void **state) {
    (void)state;
    const stoa_data_options options = {.task = STOA_TASK_REGRESSION, .whole = true};
    struct file images = begin(0x0D, 1, (const uint32_t[]){6}),
                labels = begin(0x0E, 2, (const uint32_t[]){6, 2});
    stoa_dataset *test = NULL;
    float out[12];
    for (int i = 0; i < 12; i++) {
        put_value(&images, 0x0D, 4, i);
        put_value(&labels, 0x0E, 8, i / 4.0);
    }
    images.used -= 6 * sizeof(float);
    (void)scratch_write(&scratch, "train-images-idx1-float", images.bytes, images.used);
    (void)scratch_write(&scratch, "train-labels-idx2-double", labels.bytes, labels.used);
    if (stoa_dataset_load(context, scratch.folder, &options, NULL, &test) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_dataset_targets(test), 2);
    stoa_dataset_read_targets(test, NULL, 0, 6, out);
    for (int i = 0; i < 12; i++) {
        assert_float_equal(out[i], (float)i / 4, 1e-6F);
    }
    stoa_dataset_free(test);
}

/* ---- layouts ---- */

static void write_set(const char *begin_name, const char *part, const char *middle, const char *images_end,
                      const char *labels_end) {
    struct pair pair = make_pair();
    char name[200];
    (void)snprintf(name, sizeof name, "%s%s%simages%s", begin_name, part, middle, images_end);
    (void)scratch_write(&scratch, name, pair.images, pair.images_bytes);
    (void)snprintf(name, sizeof name, "%s%s%slabels%s", begin_name, part, middle, labels_end);
    (void)scratch_write(&scratch, name, pair.labels, pair.labels_bytes);
}

static void expect_set(const char *said) {
    struct pair pair = make_pair();
    const stoa_data_options options = {.classes = CLASSES};
    stoa_dataset *train = NULL, *test = NULL;
    notes[0] = '\0';
    if (stoa_dataset_load(context, scratch.folder, &options, &train, &test) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    check_content(&pair, train);
    check_content(&pair, test);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    assert_string_equal(notes, said);
}

static void empty_folder(void) {
    remove_below(scratch.folder);
    assert_int_equal(mkdir(scratch.folder, 0777), 0);
}

static void finds_sets_as_copies_have_them(void **state) {
    (void)state;
    static const struct {
        const char *begin, *middle, *images_end, *labels_end;
    } copies[] = {{"", "-", "-idx3-ubyte", "-idx1-ubyte"},
                  {"", "-", ".idx3-ubyte", ".idx1-ubyte"},
                  {"", "-", "", ""},
                  {"", "-", ".idx", ".idx"},
                  {"", "_", ".IDX3", ".IDX1"},
                  {"emnist-digits-", "-", "-idx3-ubyte", "-idx1-ubyte"},
                  {"qmnist-", "-", "-idx3-ubyte", "-idx1-int"},
                  {"", "-", "-idx3-float", "-idx1-short"},
                  {"raw/", "-", "-idx3-ubyte", "-idx1-ubyte"},
                  {"MNIST/raw/", "-", "-idx3-ubyte", "-idx1-ubyte"}};
    static const char *const parts[][2] = {{"train", "t10k"}, {"Train", "Test"}, {"training", "testing"}};
    for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++) {
        for (size_t j = 0; j < 3; j++) {
            make_folder("raw");
            make_folder("MNIST");
            make_folder("MNIST/raw");
            write_set(copies[i].begin, parts[j][0], copies[i].middle, copies[i].images_end,
                      copies[i].labels_end);
            write_set(copies[i].begin, parts[j][1], copies[i].middle, copies[i].images_end,
                      copies[i].labels_end);
            expect_set("");
            empty_folder();
        }
    }
}

static void refuses_two_sets(void **state) {
    (void)state;
    stoa_dataset *train = NULL, *test = NULL;
    write_set("emnist-digits-", "train", "-", "-idx3-ubyte", "-idx1-ubyte");
    write_set("emnist-letters-", "train", "-", "-idx3-ubyte", "-idx1-ubyte");
    assert_int_equal(stoa_dataset_load(context, scratch.folder, NULL, &train, &test), STOA_ERR_FORMAT);
    assert_non_null(strstr(stoa_context_error(context),
                           ": holds emnist-digits-train-images-idx3-ubyte and "
                           "emnist-letters-train-images-idx3-ubyte, expected the files of one set"));
    empty_folder();
    make_folder("a");
    make_folder("b");
    write_set("a/", "train", "-", "-idx3-ubyte", "-idx1-ubyte");
    write_set("b/", "train", "-", "-idx3-ubyte", "-idx1-ubyte");
    assert_int_equal(stoa_dataset_load(context, scratch.folder, NULL, &train, &test), STOA_ERR_FORMAT);
    assert_non_null(strstr(stoa_context_error(context), "/b: holds a set, as "));
    assert_true(train == NULL && test == NULL);
}

static void divides_a_training_part_alone(void **state) {
    (void)state;
    struct file images = begin(0x0D, 1, (const uint32_t[]){6}), labels = make_labels(0);
    stoa_dataset *train = NULL, *test = NULL;
    char wanted[200];
    for (int i = 0; i < 6; i++) {
        put_value(&images, 0x0D, 4, i);
    }
    (void)scratch_write(&scratch, "train-images-idx1-float", images.bytes, images.used);
    (void)scratch_write(&scratch, "train-labels-idx1-ubyte", labels.bytes, labels.used);
    if (stoa_dataset_load(context, scratch.folder, NULL, &train, &test) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_dataset_count(train), 3);
    assert_int_equal(stoa_dataset_count(test), 3);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    (void)snprintf(wanted, sizeof wanted, "%s: is divided, as it holds no part to test with\n",
                   scratch.folder);
    assert_string_equal(notes, wanted);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_all_types_and_ranks),      TEST(refuses_values),   TEST(reads_targets),
        TEST(finds_sets_as_copies_have_them), TEST(refuses_two_sets), TEST(divides_a_training_part_alone)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
