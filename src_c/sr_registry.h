/* The three lists: types, penalties, losses. A name enters by one line here and one block in sr_penalty.h or sr_loss.h;
 * enums, dispatch and the Python tables follow from the lists. */
#ifndef SR_REGISTRY_H
#define SR_REGISTRY_H

/* Types of X: tags add up to the label of a variant. All-ones, valued and dense columns are told apart inside a variant. */
enum { SR_F32 = 0, SR_F64 = 1, SR_I32 = 0, SR_I64 = 2 };
#define SR_FOR_EACH_VARIANT(V) V(f32, i32) V(f64, i32) V(f32, i64) V(f64, i64)

#define SR_FOR_EACH_PENALTY(P) P(elastic_net) P(elastic_net_nonneg)
#define SR_FOR_EACH_LOSS(L) L(squared)

#define SR_AS_ENUM_PENALTY(name) SR_PENALTY_##name,
#define SR_AS_ENUM_LOSS(name) SR_LOSS_##name,
typedef enum { SR_FOR_EACH_PENALTY(SR_AS_ENUM_PENALTY) SR_N_PENALTIES } sr_penalty;
typedef enum { SR_FOR_EACH_LOSS(SR_AS_ENUM_LOSS) SR_N_LOSSES } sr_loss;

const char *sr_penalty_name(sr_penalty pen);
const char *sr_loss_name(sr_loss loss);

#endif
