namespace Overlay.Simulation.Linearizability;

internal enum LinearizabilityResult
{
    Linearizable,
    Violated,
    /// <summary>The search was given up: the history is too concurrent for the steps allowed.</summary>
    Undecided,
}

/// <summary>What the checker found.</summary>
/// <param name="Key">The key whose history is not linearizable or not decided.</param>
/// <param name="Explained">The most operations of that key that any order explains.</param>
/// <param name="Operations">All operations of that key.</param>
/// <param name="Steps">How often the model was asked, over all keys.</param>
internal readonly record struct LinearizabilityVerdict(
    LinearizabilityResult Result, int Key, int Explained, int Operations, long Steps)
{
    public override string ToString() => Result switch
    {
        LinearizabilityResult.Linearizable => "linearizable",
        LinearizabilityResult.Violated =>
            $"key {Key} is not linearizable: no order explains more than {Explained} of its {Operations} operations",
        _ => $"key {Key}: not decided in {Steps} steps ({Operations} operations)",
    };
}
