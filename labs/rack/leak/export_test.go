package leak

import "time"

// Frame looks at one frame, as Frames does.
func (w *Watcher) Frame(data []byte, at time.Time, port string) {
	if s := w.set.Load(); s != nil {
		w.frame(s, data, at, port)
	}
}
