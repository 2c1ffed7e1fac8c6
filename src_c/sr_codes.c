/* Rows of ones by the codes of their columns, in two or four bytes an entry: the part of rows that are not in memory.
 * The loops are in sr_codes.tpl.h, once for each width of a code. */
#include "sr.h"

#define SR_CODE uint16_t
#define SR_OF_CODE(name) name##_16
#include "sr_codes.tpl.h"
#undef SR_CODE
#undef SR_OF_CODE

#define SR_CODE uint32_t
#define SR_OF_CODE(name) name##_32
#include "sr_codes.tpl.h"

void sr_codes_matvec(const sr_codes *Z, int64_t begin, int64_t end, const double *w, double *z) {
    (Z->bytes == 2 ? matvec_16 : matvec_32)(Z, begin, end, w, z);
}

void sr_codes_rmatvec(const sr_codes *Z, int64_t begin, int64_t end, const double *v, double *c) {
    (Z->bytes == 2 ? rmatvec_16 : rmatvec_32)(Z, begin, end, v, c);
}

void sr_codes_rmatvec_pair(const sr_codes *Z, int64_t begin, int64_t end, const double *v, double *c) {
    (Z->bytes == 2 ? rmatvec_pair_16 : rmatvec_pair_32)(Z, begin, end, v, c);
}

void sr_codes_count(const sr_codes *Z, const int32_t *position, int64_t *count) {
    (Z->bytes == 2 ? count_16 : count_32)(Z, position, count);
}

void sr_codes_rows(const sr_codes *Z, const int32_t *position, int64_t *next, int32_t *rows) {
    (Z->bytes == 2 ? rows_16 : rows_32)(Z, position, next, rows);
}

int64_t sr_codes_products(const sr_codes *Z, int64_t n, const int32_t *rows, const double *s, double *sums,
                          int32_t *touched, double *values) {
    return (Z->bytes == 2 ? products_16 : products_32)(Z, n, rows, s, sums, touched, values);
}

void sr_codes_gram(const sr_codes *Z, const int32_t *place, const double *h, int32_t *held, const sr_triangle *T) {
    (Z->bytes == 2 ? gram_16 : gram_32)(Z, place, h, held, T);
}
