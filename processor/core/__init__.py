"""The pure core: folds, panes, groups. No Faust, no Kafka, no clock."""
