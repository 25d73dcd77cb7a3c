package rack

import (
	"context"
	"errors"
)

// DefaultMemory is a node's memory when its lab does not say, in bytes.
const DefaultMemory = 128 << 20

// StartGuest starts a real guest.
func StartGuest(context.Context, *Plan) (Machine, error) {
	return nil, errors.New("not yet")
}
