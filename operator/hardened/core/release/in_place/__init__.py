"""RollingUpdate and Recreate: a shorter sequence, in which the new revision takes the place of the old one.

    Cutover      RollingUpdate: the one Deployment replaces its pods. Recreate: the old colour's pods go; once all of them are gone, the
                 other colour comes up, and the active Service follows
    VerifyAfter  nothing else runs any more: it is watched
    SwitchBack   it failed, or is no longer wanted: stable comes back by the same path

Nothing runs beside what serves, so there is nothing to keep, and nothing that a newer spec would have to wait for: it takes over in every
step. Only a migration that is to be undone is undone first; from Cutover on, where it is to be undone then, too, stable comes back before
that.

With Recreate no two revisions ever run at once. That is held by `sizes.desired` alone, which lets no pod come up while one of another
target may be left; no step and no memory is needed for it.
"""
