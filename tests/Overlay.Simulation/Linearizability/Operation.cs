namespace Overlay.Simulation.Linearizability;

/// <summary>One call of a client and what came back.</summary>
/// <param name="Client">Who called; only shown.</param>
/// <param name="Key">The part of the state it touches: a history is linearizable if it is so for each key alone.</param>
/// <param name="Call">When the call was made, on one clock for all clients, in any unit.</param>
/// <param name="Return">When the answer came, not before <paramref name="Call"/>; <see cref="NoAnswer"/> if none came.</param>
internal readonly record struct Operation<TInput, TOutput>(
    int Client, int Key, TInput Input, TOutput Output, long Call, long Return)
{
    /// <summary>
    /// The answer was lost: the operation may have taken effect at any time after its call, or never. Such a read says
    /// nothing and is left out by whoever keeps the history.
    /// </summary>
    public const long NoAnswer = long.MaxValue;

    public bool IsAmbiguous => Return == NoAnswer;
}
