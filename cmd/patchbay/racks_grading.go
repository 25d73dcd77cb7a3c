package main

import (
	"context"
	"errors"
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/spawn"
)

// These make localRacks handin.Racks, too.

func (l localRacks) IDs(ctx context.Context, prefix string) (ids []string, err error) {
	all, err := l.List(ctx) // its error is of racks that cannot be read, beside the others
	for _, r := range all {
		if strings.HasPrefix(r.Spec.ID, prefix) {
			ids = append(ids, r.Spec.ID)
		}
	}
	if len(ids) > 0 {
		err = nil
	}
	return ids, err
}

func (l localRacks) Spec(ctx context.Context, id string) (*rack.Spec, error) {
	info, err := l.Find(ctx, id)
	if errors.Is(err, spawn.ErrNotFound) {
		return nil, errEnded
	}
	if err != nil {
		return nil, err
	}
	return info.Spec, nil
}

func (l localRacks) Freeze(ctx context.Context, id, reason string) error {
	return l.with(ctx, id, func(c *rack.Client) error { return c.Freeze(ctx, reason) })
}

func (l localRacks) Thaw(ctx context.Context, id string) error {
	return l.with(ctx, id, func(c *rack.Client) error { return c.Thaw(ctx) })
}

func (l localRacks) Snapshot(ctx context.Context, id, dir string) error {
	return l.with(ctx, id, func(c *rack.Client) error { return c.Snapshot(ctx, dir) })
}

func (l localRacks) Check(ctx context.Context, id string, q rack.CheckRequest, progress func(grade.Result)) (report *grade.Report, err error) {
	err = l.with(ctx, id, func(c *rack.Client) error {
		report, err = c.Check(ctx, &q, progress)
		return err
	})
	return report, err
}

func (l localRacks) Remove(ctx context.Context, id string) error {
	err := l.Local.Remove(ctx, id)
	if errors.Is(err, spawn.ErrNotFound) {
		return nil
	}
	return err
}
