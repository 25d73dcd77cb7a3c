package handin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/patchbay/patchbay/labs"
)

const tidyEvery = time.Hour

// errDisksGone says that what was handed in was deleted.
var errDisksGone = labs.Errorf(labs.Conflict, "The disks of this attempt are there no more: a later one superseded it, and the server keeps such disks for a time only. Its reports and its score stay.")

// tidier deletes the disks of superseded attempts, now and every hour.
func (d *Desk) tidier(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		if err := d.tidy(ctx, time.Now().Add(-d.Keep)); err != nil && ctx.Err() == nil {
			d.Log.Error("deleting the disks of superseded attempts", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tidy deletes the disks of attempts from before a time, as long as a later one
// is graded and no grade is made of them. Rows and reports stay.
func (d *Desk) tidy(ctx context.Context, before time.Time) error {
	old, err := d.Store.SupersededSubmissions(ctx, before)
	if err != nil {
		return err
	}
	attempts := 0
	var errs []error
	for i := range old {
		s := &old[i]
		if _, err := os.Stat(filepath.Join(d.folder(s), disksName)); s.Folder == "" || err != nil {
			continue // deleted before
		}
		counts, err := d.Store.SubmissionCounts(ctx, s)
		if err == nil && !counts {
			if err = d.Discard(s); err == nil {
				attempts++
			}
		}
		errs = append(errs, err)
	}
	if attempts > 0 {
		d.Log.Info("deleted the disks of superseded attempts", "attempts", attempts, "kept_for", d.Keep)
	}
	return errors.Join(errs...)
}
