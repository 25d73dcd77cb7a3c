package uplink

import (
	"slices"
	"time"
)

const maxDenials = 32

// denials are the latest destinations that were denied. The zero value is ready.
type denials struct {
	all    []Denial // last first
	logged int
}

// add notes one, and says whether it is new and there is room for it in the log.
func (d *denials) add(destination string, now time.Time) (log bool) {
	i := slices.IndexFunc(d.all, func(x Denial) bool { return x.Destination == destination })
	x := Denial{Destination: destination}
	if i >= 0 {
		x = d.all[i]
		d.all = slices.Delete(d.all, i, i+1)
	}
	x.Last = now
	x.Count++
	d.all = slices.Insert(d.all, 0, x)
	d.all = d.all[:min(len(d.all), maxDenials)]
	if i < 0 && d.logged < maxDenials {
		d.logged++
		return true
	}
	return false
}

func (d *denials) list() []Denial { return slices.Clone(d.all) }
