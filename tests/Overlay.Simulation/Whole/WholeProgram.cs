namespace Overlay.Simulation.Whole;

/// <summary>
/// <c>Overlay.Simulation raft whole</c>: schedules of whole managers, from the bytes on their disks to the answers of their
/// callers, with all invariants after every turn.
/// </summary>
internal static class WholeProgram
{
    /// <summary>So many schedules must bring about everything that <see cref="WholeSometimes"/> names.</summary>
    private const int Enough = 2000;

    public static int Run(string[] args) =>
        new Schedules<WholeSometimes>("raft whole", "whole", "schedules of whole managers", Enough, WholeRun.Of).Run(args, usual: 200);
}
