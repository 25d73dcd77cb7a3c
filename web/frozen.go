package web

import (
	"context"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// refuseFrozen keeps an owner from ending a rack that is being handed in. The
// rack itself can be ended at any time, by those who froze it. Only a rack that
// says it is frozen counts: one that hangs must not be one that cannot be ended.
func (s *Server) refuseFrozen(ctx context.Context, id string) error {
	st, err := s.racks.State(ctx, id)
	if err != nil || st == nil || st.Frozen == "" {
		return nil
	}
	return &labs.Error{Code: labs.Conflict, Message: "The lab is frozen for now. " + st.Frozen,
		Cause: rack.ErrFrozen}
}
