package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/patchbay/patchbay/labs/catalog"
	"github.com/patchbay/patchbay/labs/library"
)

// openLibrary opens the server's labs, and watches their folder if there is
// one. Stop ends that and waits for it.
func (c *serveCmd) openLibrary(ctx context.Context, f *Folders, log *slog.Logger) (l *library.Library, stop func(), err error) {
	l, err = library.Open(filepath.Join(f.State, "library"))
	if err != nil {
		return nil, nil, err
	}
	closeIt := func() {
		if err := l.Close(); err != nil {
			log.Warn("closing the library", "err", err)
		}
	}
	slugs, err := catalog.Slugs()
	if err == nil {
		err = l.Include(catalog.FS(), slugs)
	}
	if err != nil {
		closeIt()
		return nil, nil, err
	}
	if c.Labs == "" {
		if err := l.NoFolder(); err != nil {
			closeIt()
			return nil, nil, err
		}
		return l, closeIt, nil
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		l.Watch(ctx, c.Labs, again, func() { sayTroubles(log, c.Labs, l) })
	})
	return l, func() {
		signal.Stop(again)
		cancel()
		wg.Wait()
		closeIt()
	}, nil
}

// sayTroubles logs what is wrong with the folder's labs; instructors see it in
// full on their page of labs.
func sayTroubles(log *slog.Logger, dir string, l *library.Library) {
	troubles := l.Troubles()
	log.Info("labs read", "folder", dir, "labs", len(l.Labs()), "in trouble", len(troubles))
	for _, t := range troubles {
		log.Warn("a lab is not in order; what was there before is served", "lab", t.Slug, "problems", len(t.Problems), "first", fmt.Sprint(t.Problems[0]))
	}
}
