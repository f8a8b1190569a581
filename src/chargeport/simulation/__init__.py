"""Control of simulated cars, their clock and faults on demand: what routes, commands, scenarios and tests all go through."""
