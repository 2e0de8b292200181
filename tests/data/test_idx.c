/* SPDX-License-Identifier: MIT */
/* Data sets from IDX: every way a file can be wrong has its status and its sentence; what is right reads back
 * exactly. */
#include <stdbool.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "../base/scratch.h"
#include "idx_pair.h"

static struct scratch scratch;
static stoa_context *context;
static struct pair pair;

static int set_up(void **state) {
    (void)state;
    scratch_open(&scratch);
    pair = make_pair();
    return stoa_context_create(NULL, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    scratch_close(&scratch);
    return 0;
}

static const char *write_images(void) {
    return scratch_write(&scratch, "images", pair.images, pair.images_bytes);
}

static const char *write_labels(void) {
    return scratch_write(&scratch, "labels", pair.labels, pair.labels_bytes);
}

/* Opening fails with this status and "PATH: rest", and no data set comes out. */
static void expect_failure(const char *images, const char *labels, size_t classes, stoa_status status,
                           const char *path, const char *rest) {
    stoa_dataset *dataset = NULL;
    stoa_status got = stoa_dataset_open_idx(context, images, labels, classes, &dataset);
    char sentence[1200];
    (void)snprintf(sentence, sizeof sentence, "%s: %s", path, rest);
    assert_string_equal(stoa_context_error(context), sentence);
    assert_int_equal(got, status);
    assert_null(dataset);
}

static void expect_bad_images(const char *rest) {
    const char *images = write_images();
    expect_failure(images, write_labels(), CLASSES, STOA_ERR_FORMAT, images, rest);
}

static void expect_bad_bytes(const char *name, const void *data, size_t bytes, const char *rest) {
    const char *images = scratch_write(&scratch, name, data, bytes);
    expect_failure(images, write_labels(), CLASSES, STOA_ERR_FORMAT, images, rest);
}

static stoa_dataset *open_good(void) {
    stoa_dataset *dataset = NULL;
    const char *images = write_images();
    assert_int_equal(stoa_dataset_open_idx(context, images, write_labels(), CLASSES, &dataset), STOA_OK);
    return dataset;
}

static void plain_and_gzip(void **state) {
    (void)state;
    stoa_dataset *dataset = open_good();
    check_content(&pair, dataset);
    stoa_dataset_free(dataset);
    uint8_t packed[400];
    const char *images =
        scratch_write(&scratch, "i.gz", packed, gzip(pair.images, pair.images_bytes, packed, sizeof packed));
    const char *labels =
        scratch_write(&scratch, "l.gz", packed, gzip(pair.labels, pair.labels_bytes, packed, sizeof packed));
    assert_int_equal(stoa_dataset_open_idx(context, images, labels, CLASSES, &dataset), STOA_OK);
    check_content(&pair, dataset);
    stoa_dataset_free(dataset);
    stoa_dataset_free(NULL);
}

static void from_memory(void **state) {
    (void)state;
    stoa_dataset *dataset = NULL;
    uint8_t packed[400];
    size_t packed_bytes = gzip(pair.labels, pair.labels_bytes, packed, sizeof packed);
    struct pair copy = pair;
    assert_int_equal(stoa_dataset_from_idx_memory(context, copy.images, copy.images_bytes, packed,
                                                  packed_bytes, CLASSES, &dataset),
                     STOA_OK);
    memset(&copy, 0, sizeof copy);
    check_content(&pair, dataset);
    stoa_dataset_free(dataset);
    dataset = NULL;
    assert_int_equal(stoa_dataset_from_idx_memory(context, pair.images, pair.images_bytes - 1, pair.labels,
                                                  pair.labels_bytes, CLASSES, &dataset),
                     STOA_ERR_FORMAT);
    assert_string_equal(stoa_context_error(context),
                        "images in memory: truncated: only 59 bytes found after the header, "
                        "which announces 60");
    assert_int_equal(
        stoa_dataset_from_idx_memory(context, pair.images, pair.images_bytes, NULL, 0, CLASSES, &dataset),
        STOA_ERR_FORMAT);
    assert_string_equal(stoa_context_error(context),
                        "labels in memory: truncated: 0 bytes found, the header alone has at least 8");
    assert_null(dataset);
}

/* All spellings of the names, each once, from a folder. */
static void folder_with_names(void **state) {
    (void)state;
    static const char *const images_names[] = {"train-images-idx3-ubyte", "train-images.idx3-ubyte",
                                               "t10k-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte.gz"};
    static const char *const labels_names[] = {"train-labels.idx1-ubyte.gz", "train-labels-idx1-ubyte.gz",
                                               "t10k-labels.idx1-ubyte", "t10k-labels-idx1-ubyte"};
    for (int i = 0; i < 4; i++) {
        stoa_split split = i < 2 ? STOA_SPLIT_TRAIN : STOA_SPLIT_TEST;
        const char *images = scratch_write(&scratch, images_names[i], pair.images, pair.images_bytes);
        stoa_dataset *dataset = NULL;
        assert_int_equal(stoa_dataset_open(context, scratch.folder, split, CLASSES, &dataset),
                         STOA_ERR_NOT_FOUND);
        char sentence[200];
        (void)snprintf(sentence, sizeof sentence,
                       "%s: holds no %s-labels-idx1-ubyte, neither plain nor with .gz", scratch.folder,
                       i < 2 ? "train" : "t10k");
        assert_string_equal(stoa_context_error(context), sentence);
        const char *labels = scratch_write(&scratch, labels_names[i], pair.labels, pair.labels_bytes);
        assert_int_equal(stoa_dataset_open(context, scratch.folder, split, CLASSES, &dataset), STOA_OK);
        check_content(&pair, dataset);
        stoa_dataset_free(dataset);
        assert_int_equal(unlink(images), 0);
        assert_int_equal(unlink(labels), 0);
    }
}

static void folder_that_is_none(void **state) {
    (void)state;
    stoa_dataset *dataset = NULL;
    const char *missing = scratch_path(&scratch, "none");
    assert_int_equal(stoa_dataset_open(context, missing, STOA_SPLIT_TEST, CLASSES, &dataset),
                     STOA_ERR_NOT_FOUND);
    assert_non_null(strstr(stoa_context_error(context), "/none: no such folder"));
    assert_int_equal(stoa_dataset_open(context, write_images(), STOA_SPLIT_TEST, CLASSES, &dataset),
                     STOA_ERR_IO);
    assert_non_null(
        strstr(stoa_context_error(context), "/images: is a file, expected a folder with IDX files"));
    assert_null(dataset);
}

static void missing_or_no_file(void **state) {
    (void)state;
    const char *missing = scratch_path(&scratch, "none");
    expect_failure(missing, write_labels(), CLASSES, STOA_ERR_NOT_FOUND, missing,
                   "cannot open: No such file or directory");
    expect_failure(write_images(), missing, CLASSES, STOA_ERR_NOT_FOUND, missing,
                   "cannot open: No such file or directory");
    expect_failure(scratch.folder, write_labels(), CLASSES, STOA_ERR_IO, scratch.folder,
                   "is a folder, expected a file");
}

static void wrong_magic(void **state) {
    (void)state;
    static const uint32_t bad[] = {0x00000A03, 0x00000805, 0x00000800, 0x00010803, 0x3C68746D, 0x93000803};
    char sentence[200];
    const char *images = write_images();
    expect_failure(
        images, images, CLASSES, STOA_ERR_FORMAT, images,
        "magic number 0x00000803, expected that of IDX: 0x0000, the type (08, 09, 0B, 0C, 0D or 0E), and 01 "
        "to 02 for the dimensions");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put32(pair.images, bad[i]);
        (void)snprintf(
            sentence, sizeof sentence,
            "magic number 0x%08X, expected that of IDX: 0x0000, the type (08, 09, 0B, 0C, 0D or 0E), and "
            "01 to 04 for the dimensions",
            bad[i]);
        expect_bad_images(sentence);
    }
}

static void truncated_anywhere(void **state) {
    (void)state;
    size_t whole = pair.images_bytes;
    for (pair.images_bytes = 0; pair.images_bytes < whole; pair.images_bytes++) {
        char rest[100];
        if (pair.images_bytes < 16) {
            (void)snprintf(rest, sizeof rest, "truncated: %zu bytes found, the header alone has %s",
                           pair.images_bytes, pair.images_bytes < 4 ? "at least 8" : "16");
        } else {
            (void)snprintf(rest, sizeof rest,
                           "truncated: only %zu bytes found after the header, which announces 60",
                           pair.images_bytes - 16);
        }
        expect_bad_images(rest);
    }
}

static void longer_than_announced(void **state) {
    (void)state;
    pair.images_bytes++;
    expect_bad_images("longer than its header says: 77 bytes found, 76 expected");
    uint8_t packed[400];
    size_t bytes = gzip(pair.images, pair.images_bytes, packed, sizeof packed);
    expect_bad_bytes("i.gz", packed, bytes,
                     "longer than its header says: more than the expected 76 bytes when unpacked");
}

/* Sizes that overflow, that are zero, or that the file cannot hold: refused before memory is taken. */
static void sizes_that_lie(void **state) {
    (void)state;
    put32(pair.images + 4, 0xFFFFFFFFU);
    put32(pair.images + 8, 0xFFFFFFFFU);
    expect_bad_images("its header announces more than 4294967279 bytes");
    put32(pair.images + 4, 65536);
    put32(pair.images + 8, 65536);
    put32(pair.images + 12, 65536);
    expect_bad_images("its header announces more than 4294967279 bytes");
    put32(pair.images + 4, COUNT);
    put32(pair.images + 8, 10000);
    put32(pair.images + 12, 10000);
    expect_bad_images("truncated: only 60 bytes found after the header, which announces 500000000");
    put32(pair.images + 8, 0);
    expect_bad_images("dimension 2 is 0, expected at least 1");
}

static void announced_but_not_in_gzip(void **state) {
    (void)state;
    put32(pair.images + 8, 60000000);
    uint8_t packed[400];
    size_t bytes = gzip(pair.images, pair.images_bytes, packed, sizeof packed);
    const char *images = scratch_write(&scratch, "i.gz", packed, bytes);
    stoa_dataset *dataset = NULL;
    assert_int_equal(stoa_dataset_open_idx(context, images, write_labels(), CLASSES, &dataset),
                     STOA_ERR_FORMAT);
    assert_non_null(strstr(stoa_context_error(context), ": truncated: at most "));
    assert_non_null(
        strstr(stoa_context_error(context), " bytes found after the header, which announces 1200000000"));
    put32(pair.images + 8, HEIGHT + 1);
    bytes = gzip(pair.images, pair.images_bytes, packed, sizeof packed);
    expect_bad_bytes("i.gz", packed, bytes,
                     "truncated: only 60 bytes found after the header, which announces 80");
}

static void gzip_truncated_anywhere(void **state) {
    (void)state;
    uint8_t packed[400];
    size_t bytes = gzip(pair.images, pair.images_bytes, packed, sizeof packed);
    for (size_t cut = 0; cut < bytes; cut++) {
        stoa_dataset *dataset = NULL;
        const char *images = scratch_write(&scratch, "i.gz", packed, cut);
        assert_int_equal(stoa_dataset_open_idx(context, images, write_labels(), CLASSES, &dataset),
                         STOA_ERR_FORMAT);
        assert_null(dataset);
        if (cut != 1) { /* a single byte 1F is not yet gzip */
            assert_non_null(strstr(stoa_context_error(context), "/i.gz: truncated: "));
        }
    }
    expect_bad_bytes("i.gz", packed, bytes - 1, "truncated: the end of the gzip data is missing");
}

static void gzip_with_garbage_behind(void **state) {
    (void)state;
    uint8_t packed[400];
    size_t bytes = gzip(pair.images, pair.images_bytes, packed, sizeof packed);
    memset(packed + bytes, 'x', 7);
    expect_bad_bytes("i.gz", packed, bytes + 7, "7 bytes follow the end of the gzip data, none expected");
}

/* One bit flipped anywhere in the compressed data or the checksum is noticed; the gzip header holds bytes
 * without meaning (time, system). */
static void gzip_with_a_flipped_bit(void **state) {
    (void)state;
    uint8_t packed[400];
    size_t bytes = gzip(pair.images, pair.images_bytes, packed, sizeof packed);
    size_t unnoticed = 0;
    for (size_t bit = 8 * 10; bit < 8 * bytes; bit++) {
        packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        stoa_dataset *dataset = NULL;
        const char *images = scratch_write(&scratch, "i.gz", packed, bytes);
        stoa_status status = stoa_dataset_open_idx(context, images, write_labels(), CLASSES, &dataset);
        if (status == STOA_OK) {
            assert_int_equal(bit / 8, bytes - 9);
            check_content(&pair, dataset);
            stoa_dataset_free(dataset);
            unnoticed++;
        } else {
            assert_int_equal(status, STOA_ERR_FORMAT);
            assert_null(dataset);
        }
        packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_in_range(unnoticed, 0, 7);
    packed[bytes - 5] ^= 1;
    expect_bad_bytes("i.gz", packed, bytes, "damaged gzip data: incorrect data check");
}

static void labels_and_counts(void **state) {
    (void)state;
    const char *images = write_images();
    const char *labels = write_labels();
    expect_failure(images, labels, 9, STOA_ERR_FORMAT, labels, "label 0 is 9, expected 0 to 8");
    pair.labels[8 + 3] = 10;
    labels = write_labels();
    expect_failure(images, labels, CLASSES, STOA_ERR_FORMAT, labels, "label 3 is 10, expected 0 to 9");
    put32(pair.labels + 4, COUNT - 1);
    pair.labels_bytes--;
    labels = write_labels();
    char rest[600];
    (void)snprintf(rest, sizeof rest, "holds 4 labels, expected 5: %s has as many images", images);
    expect_failure(images, labels, 11, STOA_ERR_FORMAT, labels, rest);
    stoa_dataset *dataset = NULL;
    assert_int_equal(stoa_dataset_open_idx(context, images, labels, 0, &dataset), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context), "data set: 0 classes, expected 1 to 1073741824");
}

static void *no_memory(void *user, size_t bytes, size_t alignment) {
    size_t *left = user;
    return (*left)-- == 0 ? NULL : aligned_alloc(alignment, bytes);
}

static void give_back(void *user, void *memory, size_t bytes) {
    (void)bytes;
    (void)user;
    free(memory);
}

static void without_memory(void **state) {
    (void)state;
    for (size_t given = 0; given < 2; given++) {
        size_t left = 1 + given; /* the context's own is the first */
        stoa_context_options options = {.allocator = {no_memory, give_back, &left}};
        stoa_context *poor = NULL;
        assert_int_equal(stoa_context_create(&options, &poor), STOA_OK);
        stoa_dataset *dataset = NULL;
        const char *images = write_images();
        assert_int_equal(stoa_dataset_open_idx(poor, images, write_labels(), CLASSES, &dataset),
                         STOA_ERR_MEMORY);
        assert_null(dataset);
        stoa_context_free(poor);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(plain_and_gzip),          TEST(from_memory),
        TEST(folder_with_names),       TEST(folder_that_is_none),
        TEST(missing_or_no_file),      TEST(wrong_magic),
        TEST(truncated_anywhere),      TEST(longer_than_announced),
        TEST(sizes_that_lie),          TEST(announced_but_not_in_gzip),
        TEST(gzip_truncated_anywhere), TEST(gzip_with_garbage_behind),
        TEST(gzip_with_a_flipped_bit), TEST(labels_and_counts),
        TEST(without_memory),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
