package vnet

import "fmt"

// Direction is a way through a port's cable, or both. Its text is that of a
// lab: "out" is what the guest sends, "in" what it gets.
type Direction uint8

// The directions.
const (
	Both Direction = iota
	FromGuest
	ToGuest
)

func (d Direction) String() string {
	switch d {
	case Both:
		return "both"
	case FromGuest:
		return "out"
	case ToGuest:
		return "in"
	}
	return fmt.Sprintf("Direction(%d)", uint8(d))
}

// MarshalText writes "both", "out" or "in".
func (d Direction) MarshalText() ([]byte, error) {
	if d > ToGuest {
		return nil, fmt.Errorf("there is no direction %d", uint8(d))
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads "both", "out" or "in"; no text is both.
func (d *Direction) UnmarshalText(b []byte) error {
	switch string(b) {
	case "", "both":
		*d = Both
	case "out":
		*d = FromGuest
	case "in":
		*d = ToGuest
	default:
		return fmt.Errorf("%q is no direction; want out, in or both", b)
	}
	return nil
}

// ways are the indices of d's directions in port.ways.
func (d Direction) ways() []int {
	return [...][]int{{0, 1}, {0}, {1}}[d]
}
