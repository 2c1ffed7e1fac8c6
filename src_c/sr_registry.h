/* The two lists: types and penalties. A name enters by one line here and one block in sr_penalty.h; enums, dispatch and
 * names follow from the lists. */
#ifndef SR_REGISTRY_H
#define SR_REGISTRY_H

/* Types of X: tags add up to the label of a variant. All-ones, valued and dense columns are told apart inside one. */
enum { SR_F32 = 0, SR_F64 = 1, SR_I32 = 0, SR_I64 = 2 };
#define SR_FOR_EACH_VARIANT(V) V(f32, i32) V(f64, i32) V(f32, i64) V(f64, i64)

#define SR_FOR_EACH_PENALTY(P) P(elastic_net) P(elastic_net_nonneg)

#define SR_AS_ENUM_PENALTY(name) SR_PENALTY_##name,
typedef enum { SR_FOR_EACH_PENALTY(SR_AS_ENUM_PENALTY) SR_N_PENALTIES } sr_penalty;

const char *sr_penalty_name(sr_penalty pen);

#endif
