/* SPDX-License-Identifier: MIT */
/* Dates of the proleptic Gregorian calendar, years 0000 to 9999, as numbers of days. */
#include "data/date.h"

/* What is left of a text. */
struct rest {
    const char *at, *end;
};

static bool take(struct rest *rest, char wanted) {
    bool found = rest->at < rest->end && *rest->at == wanted;
    rest->at += found;
    return found;
}

/* `digits` digits that make a number from `least` to `most`. */
static bool take_number(struct rest *rest, size_t digits, int least, int most, int *number) {
    *number = 0;
    if ((size_t)(rest->end - rest->at) < digits) {
        return false;
    }
    for (size_t i = 0; i < digits; i++, rest->at++) {
        if (*rest->at < '0' || *rest->at > '9') {
            return false;
        }
        *number = 10 * *number + (*rest->at - '0');
    }
    return *number >= least && *number <= most;
}

static bool is_leap(int year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from the beginning of 1970 to that of a month; before 1970 they are negative. Leap days are counted up
 * to the year before, years from 1 on. */
static int days_before(int year, int month) {
    static const int before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    enum { DAYS_TO_1970 = 719162 }; /* from the first day of year 1 */
    int past = year - 1;            /* -1 in year 0, whose quotients are rounded down */
    int leap_days = year > 0 ? past / 4 - past / 100 + past / 400 : -1;
    return 365 * past + leap_days + before_month[month - 1] + (month > 2 && is_leap(year)) - DAYS_TO_1970;
}

static bool take_date(struct rest *rest, double *days) {
    int year, month, day;
    bool good = take_number(rest, 4, 0, 9999, &year) && take(rest, '-') &&
                take_number(rest, 2, 1, 12, &month) && take(rest, '-') && take_number(rest, 2, 1, 31, &day) &&
                day <= days_of_month(year, month);
    *days = good ? (double)(days_before(year, month) + day - 1) : 0;
    return good;
}

/* Digits behind the point of a second. */
static bool take_fraction(struct rest *rest, double *fraction) {
    double unit = 0.1;
    const char *begin = rest->at;
    for (*fraction = 0; rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9'; rest->at++) {
        *fraction += unit * (double)(*rest->at - '0');
        unit *= 0.1;
    }
    return rest->at > begin;
}

/* A leap second counts as the next one. */
static bool take_time(struct rest *rest, double *seconds) {
    int hour, minute = 0, second = 0;
    double fraction = 0;
    bool good = take_number(rest, 2, 0, 24, &hour) && take(rest, ':') && take_number(rest, 2, 0, 59, &minute);
    if (good && take(rest, ':')) {
        good = take_number(rest, 2, 0, 60, &second) && (!take(rest, '.') || take_fraction(rest, &fraction));
    }
    *seconds = 3600.0 * hour + 60.0 * minute + second + fraction;
    return good && (hour < 24 || (minute == 0 && second == 0 && fraction <= 0));
}

static bool take_offset(struct rest *rest, double *seconds) {
    int hours, minutes = 0;
    *seconds = 0;
    if (rest->at == rest->end || take(rest, 'Z') || take(rest, 'z')) {
        return true;
    }
    double sign = *rest->at == '-' ? -1 : 1;
    bool good = (take(rest, '+') || take(rest, '-')) && take_number(rest, 2, 0, 23, &hours);
    if (!good) {
        return false;
    }
    (void)take(rest, ':');
    good = take_number(rest, 2, 0, 59, &minutes);
    *seconds = sign * (3600.0 * hours + 60.0 * minutes);
    return good;
}

bool stoa_parse_date(const char *text, size_t length, double *days) {
    struct rest rest = {text, text + length};
    double seconds = 0, offset = 0;
    bool good = take_date(&rest, days);
    if (good && rest.at < rest.end) {
        good = (take(&rest, 'T') || take(&rest, 't') || take(&rest, ' ')) && take_time(&rest, &seconds) &&
               take_offset(&rest, &offset) && rest.at == rest.end;
    }
    *days += (seconds - offset) / 86400.0;
    return good;
}
