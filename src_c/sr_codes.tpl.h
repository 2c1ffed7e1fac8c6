/* Template body, included once for each width of a code by sr_codes.c. */

static inline int64_t SR_OF_CODE(first)(const sr_codes *Z, int64_t i) { return Z->start ? Z->start[i] : i * Z->width; }

static void SR_OF_CODE(matvec)(const sr_codes *Z, int64_t begin, int64_t end, const double *w, double *z) {
    const SR_CODE *codes = Z->codes;
    for (int64_t i = begin; i < end; i++) {
        const int64_t stop = SR_OF_CODE(first)(Z, i + 1);
        double sum = z[i - begin];
        for (int64_t e = SR_OF_CODE(first)(Z, i); e < stop; e++) sum += w[codes[e]];
        z[i - begin] = sum;
    }
}

static void SR_OF_CODE(rmatvec)(const sr_codes *Z, int64_t begin, int64_t end, const double *v, double *c) {
    const SR_CODE *codes = Z->codes;
    for (int64_t i = begin; i < end; i++) {
        const int64_t stop = SR_OF_CODE(first)(Z, i + 1);
        for (int64_t e = SR_OF_CODE(first)(Z, i); e < stop; e++) c[codes[e]] += v[i - begin];
    }
}

/* Two vectors at once, side by side in v and c: the codes are read once. */
static void SR_OF_CODE(rmatvec_pair)(const sr_codes *Z, int64_t begin, int64_t end, const double *v, double *c) {
    const SR_CODE *codes = Z->codes;
    for (int64_t i = begin; i < end; i++) {
        const int64_t stop = SR_OF_CODE(first)(Z, i + 1);
        const double a = v[2 * (i - begin)], b = v[2 * (i - begin) + 1];
        for (int64_t e = SR_OF_CODE(first)(Z, i); e < stop; e++) {
            c[2 * (int64_t)codes[e]] += a;
            c[2 * (int64_t)codes[e] + 1] += b;
        }
    }
}

static void SR_OF_CODE(count)(const sr_codes *Z, const int32_t *position, int64_t *count) {
    const SR_CODE *codes = Z->codes;
    for (int64_t e = SR_OF_CODE(first)(Z, 0); e < SR_OF_CODE(first)(Z, Z->n); e++)
        if (position[codes[e]] >= 0) count[position[codes[e]]]++;
}

static void SR_OF_CODE(rows)(const sr_codes *Z, const int32_t *position, int64_t *next, int32_t *rows) {
    const SR_CODE *codes = Z->codes;
    for (int64_t i = 0; i < Z->n; i++) {
        const int64_t stop = SR_OF_CODE(first)(Z, i + 1);
        for (int64_t e = SR_OF_CODE(first)(Z, i); e < stop; e++)
            if (position[codes[e]] >= 0) rows[next[position[codes[e]]]++] = (int32_t)i;
    }
}

/* The sums of the codes that were not touched are 0, before and after. A weight of 0 touches nothing. */
static int64_t SR_OF_CODE(products)(const sr_codes *Z, int64_t n, const int32_t *rows, const double *s, double *sums,
                                    int32_t *touched, double *values) {
    const SR_CODE *codes = Z->codes;
    int64_t m = 0;
    for (int64_t a = 0; a < n; a++) {
        const int64_t i = rows[a], stop = SR_OF_CODE(first)(Z, i + 1);
        const double weight = s ? s[i] : 1.0;
        for (int64_t e = SR_OF_CODE(first)(Z, i); e < stop; e++) {
            touched[m] = (int32_t)codes[e];
            m += sums[codes[e]] == 0.0 && weight > 0.0;
            sums[codes[e]] += weight;
        }
    }
    for (int64_t a = 0; a < m; a++) {
        values[a] = sums[touched[a]];
        sums[touched[a]] = 0.0;
    }
    return m;
}

/* Of the codes of a row only those with a place count; their places are kept in `held`. */
static void SR_OF_CODE(gram)(const sr_codes *Z, const int32_t *place, const double *h, int32_t *held,
                             const sr_triangle *T) {
    const SR_CODE *codes = Z->codes;
    for (int64_t i = 0; i < Z->n; i++) {
        const int64_t stop = SR_OF_CODE(first)(Z, i + 1);
        int64_t k = 0;
        for (int64_t e = SR_OF_CODE(first)(Z, i); e < stop; e++) {
            held[k] = place[codes[e]];
            k += held[k] >= 0;
        }
        for (int64_t a = 0; a < k; a++)
            for (int64_t b = 0; b <= a; b++) {
                const int64_t row = held[a] > held[b] ? held[a] : held[b], col = held[a] + held[b] - row;
                if (row < T->first || row >= T->stop) continue;
                T->sums[(row - T->first) * T->m + col] += a != b && row == col ? 2.0 * h[i] : h[i];
            }
    }
}
