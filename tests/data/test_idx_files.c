/* SPDX-License-Identifier: MIT */
/* IDX files as they come from elsewhere: gzip in several members or with padding, files in folders of their
 * own name, broken downloads beside good ones; and the order in which mistakes are found. */
#include "../base/cmocka_prelude.h"
#include "../base/scratch.h"
#include "idx_pair.h"
#include "notes.h"

static struct scratch scratch;
static stoa_context *context;
static struct pair pair;
static int set_up(void **state) {
    (void)state;
    scratch_open(&scratch);
    pair = make_pair();
    notes[0] = '\0';
    const stoa_context_options options = {.log = note};
    return stoa_context_create(&options, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    scratch_close(&scratch);
    return 0;
}

/* ---- gzip ---- */

static stoa_status open_packed(const uint8_t *packed, size_t bytes, stoa_dataset **dataset) {
    return stoa_dataset_from_idx_memory(context, packed, bytes, pair.labels, pair.labels_bytes, CLASSES,
                                        dataset);
}

static void expect_pair(const uint8_t *packed, size_t bytes) {
    stoa_dataset *dataset = NULL;
    if (open_packed(packed, bytes, &dataset) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    check_content(&pair, dataset);
    stoa_dataset_free(dataset);
}

static void expect_refused(const uint8_t *packed, size_t bytes, const char *sentence) {
    stoa_dataset *dataset = NULL;
    assert_int_equal(open_packed(packed, bytes, &dataset), STOA_ERR_FORMAT);
    if (!strstr(stoa_context_error(context), sentence)) {
        assert_string_equal(stoa_context_error(context), sentence);
    }
    assert_null(dataset);
}

/* Three members, the middle one from `first` to `second`; any of them may be empty. Returns the bytes. */
static size_t pack_in_three(size_t first, size_t second, uint8_t *packed, size_t room, size_t *third) {
    size_t used = gzip(pair.images, first, packed, room);
    used += gzip(pair.images + first, second - first, packed + used, room - used);
    *third = used;
    return used + gzip(pair.images + second, pair.images_bytes - second, packed + used, room - used);
}

static void reads_members_as_one(void **state) {
    (void)state;
    uint8_t packed[800];
    size_t third;
    for (size_t first = 0; first <= pair.images_bytes; first++) {
        for (size_t second = first; second <= pair.images_bytes; second += 7) {
            expect_pair(packed, pack_in_three(first, second, packed, sizeof packed, &third));
        }
    }
}

static void passes_over_padding(void **state) {
    (void)state;
    static uint8_t packed[5000];
    for (int members = 1; members <= 3; members += 2) {
        size_t third, bytes = members == 1 ? gzip(pair.images, pair.images_bytes, packed, 800)
                                           : pack_in_three(20, 20, packed, 800, &third);
        for (size_t zeros = 1; zeros < 4000; zeros += 1 + 511 * (zeros > 4)) {
            memset(packed + bytes, 0, zeros);
            expect_pair(packed, bytes + zeros);
            /* What is not zero is no padding, wherever it is. */
            char sentence[100];
            (void)snprintf(sentence, sizeof sentence, ": %zu bytes follow the end of the gzip data", zeros);
            packed[bytes + zeros / 2] = 1;
            expect_refused(packed, bytes + zeros, sentence);
            packed[bytes + zeros / 2] = 0;
            packed[bytes + zeros - 1] = 0x1F;
            expect_refused(packed, bytes + zeros, sentence);
        }
    }
}

/* A later member is held to the same as the first. */
static void refuses_damaged_members(void **state) {
    (void)state;
    uint8_t packed[800];
    size_t third;
    for (size_t second = 20; second <= pair.images_bytes; second += pair.images_bytes - 20) {
        size_t bytes = pack_in_three(10, second, packed, sizeof packed, &third);
        for (size_t cut = third + 2; cut < bytes; cut++) {
            expect_refused(packed, cut, ": truncated: ");
        }
        packed[bytes - 5] ^= 1;
        expect_refused(packed, bytes, ": damaged gzip data: incorrect data check");
    }
    pair.images_bytes++;
    size_t bytes = pack_in_three(10, pair.images_bytes - 1, packed, sizeof packed, &third);
    expect_refused(packed, bytes, ": longer than its header says: more than the expected 76 bytes");
}

/* ---- the cheap before the dear ---- */

/* Everything behind the header is wrong, which nobody gets to see. */
static void counts_before_unpacking(void **state) {
    (void)state;
    uint8_t packed[400];
    put32(pair.labels + 4, COUNT - 1);
    pair.labels_bytes--;
    for (int plain = 0; plain < 2; plain++) {
        pair.images_bytes = 16 + PIXELS - plain;
        size_t bytes =
            plain ? pair.images_bytes : gzip(pair.images, pair.images_bytes, packed, sizeof packed);
        packed[bytes - 8] ^= !plain;
        expect_refused(plain ? pair.images : packed, bytes,
                       "labels in memory: holds 4 labels, expected 5: images in memory has as many images");
    }
    pair = make_pair();
    pair.labels[8 + 2] = CLASSES;
    expect_refused((const uint8_t *)"no images", 9, "labels in memory: label 2 is 10, expected 0 to 9");
}

/* ---- names ---- */

static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
enum { NAMES = sizeof names / sizeof names[0] };

/* Write one of the four. */
static void write_file(const char *path, int which, bool packed) {
    uint8_t bytes[400];
    const uint8_t *data = which % 2 == 0 ? pair.images : pair.labels;
    size_t size = which % 2 == 0 ? pair.images_bytes : pair.labels_bytes;
    size = packed ? gzip(data, size, bytes, sizeof bytes) : size;
    (void)scratch_write(&scratch, path, packed ? bytes : data, size);
}

static void expect_folder(const char *said) {
    stoa_dataset *train = NULL, *test = NULL;
    notes[0] = '\0';
    if (stoa_dataset_load(context, scratch.folder, &(stoa_data_options){.classes = CLASSES}, &train, &test) !=
        STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    check_content(&pair, train);
    check_content(&pair, test);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    assert_string_equal(notes, said);
}

static const char *dotted(const char *name, const char *end) {
    static char text[64];
    const char *kind = strstr(name, "-idx");
    assert_non_null(kind);
    (void)snprintf(text, sizeof text, "%.*s.%s%s", (int)(kind - name), name, kind + 1, end);
    return text;
}

/* A folder of the file's name with the file in it, in all of their spellings, alone or beside the file
 * itself. */
static void finds_files_in_folders(void **state) {
    (void)state;
    for (int variant = 0; variant < 6; variant++) {
        bool dots = variant & 1, packed = variant & 2, beside = variant & 4;
        char inner[NAMES][256];
        for (int i = 0; i < (int)NAMES; i++) {
            const char *folder = dots && variant & 2 ? dotted(names[i], "") : names[i];
            assert_int_equal(mkdir(scratch_path(&scratch, folder), 0777), 0);
            const char *file = dots ? dotted(names[i], "") : names[i];
            (void)snprintf(inner[i], sizeof inner[i], "%s/%s%s",
                           dots && variant & 2 ? dotted(names[i], "") : names[i], file, packed ? ".gz" : "");
            if (!beside) {
                write_file(inner[i], i, packed);
            } else {
                (void)scratch_write(&scratch, inner[i], "another", 7); /* never looked at */
                write_file(dotted(names[i], ""), i, false);
            }
        }
        expect_folder("");
        for (int i = 0; i < (int)NAMES; i++) {
            assert_int_equal(unlink(scratch_path(&scratch, inner[i])), 0);
            if (beside) {
                assert_int_equal(unlink(scratch_path(&scratch, dotted(names[i], ""))), 0);
            }
            char *end = strchr(inner[i], '/');
            *end = '\0';
            assert_int_equal(rmdir(scratch_path(&scratch, inner[i])), 0);
        }
    }
}

/* The next spelling is taken in the place of an empty file, which is said; without another it is refused. */
static void takes_others_for_empty_files(void **state) {
    (void)state;
    char said[1000] = "", name[64];
    for (int i = 0; i < (int)NAMES; i++) {
        write_file(names[i], i, false);
    }
    expect_folder("");
    for (int i = 0; i < (int)NAMES; i++) {
        (void)scratch_write(&scratch, names[i], "", 0);
        (void)snprintf(name, sizeof name, "%s.gz", names[i]);
        write_file(name, i, true);
        (void)snprintf(said + strlen(said), sizeof said - strlen(said),
                       "%s/%s: is empty, %s/%s is taken instead\n", scratch.folder, names[i], scratch.folder,
                       name);
        expect_folder(said);
    }
    stoa_dataset *dataset = NULL;
    (void)snprintf(name, sizeof name, "%s.gz", names[0]);
    (void)scratch_write(&scratch, name, "", 0);
    assert_int_equal(stoa_dataset_open(context, scratch.folder, STOA_SPLIT_TRAIN, CLASSES, &dataset),
                     STOA_ERR_FORMAT);
    assert_non_null(
        strstr(stoa_context_error(context), "/train-images-idx3-ubyte.gz: is empty, expected an IDX file"));
    assert_null(dataset);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_members_as_one),    TEST(passes_over_padding),    TEST(refuses_damaged_members),
        TEST(counts_before_unpacking), TEST(finds_files_in_folders), TEST(takes_others_for_empty_files),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
