// What a report or a patch over plain HTTP means, given the run as it stands and the time. The server is the
// one writer of such runs, so this is where revisions are given and ends are filled in. Pure: no store, no
// clock; the committer asks it, with its single thread making sure that `stored` is the truth.
//
// Both answer an Outcome. kAccepted: `run` is what to commit, valid, its snapshot or its annotations newer than
// the stored ones by their merge orders. kDuplicate: `run` is the stored run, nothing to commit. kRejected: `why`,
// `field` and `detail`. Never kDeferred. `stored` may be null: the run is unknown. `now` is a wall clock.
#pragma once

#include "aggregator/ingest/command.h"
#include "aggregator/model/run.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator {

// A rejection, ready to be answered.
Outcome reject(Outcome::Why why, std::string field, std::string detail);

// A new run: started when the sender says, else as long before its end as it says it took, else now. A run
// that ended: finished when the sender says, else start plus duration, else now; the duration is what the
// sender says, else the difference, where it may be that the sender contradicts itself (rejected,
// `finished_at`). A known run: another job or start, or one of the client library's, is a conflict. Without a
// revision: what says nothing new, and a start told after the end, is a duplicate; changing an ended run is a
// conflict (`state`). With a revision: the merge order decides, but that readers see no difference is a
// duplicate. Annotations stay as they are: what was added stands over what a report says.
Outcome resolve_report(const ReportRun& report, const Run* stored, Nanos now);

// Merges the fields given. What changes nothing is a duplicate, so a patch may be sent again. To a run that
// ended, whoever reported it, and to one of the client library, which is the one writer of its snapshots,
// labels and failure.message alone may be added: they become annotations (revision + 1), the snapshot stays
// as it is. Anything else is a conflict that names the field. No patch leaves a run with more than
// label_count_max effective labels, unless it had more already and the patch adds none.
Outcome resolve_patch(const PatchRun& patch, const Run* stored, Nanos now);

}  // namespace kleptometrics::aggregator
