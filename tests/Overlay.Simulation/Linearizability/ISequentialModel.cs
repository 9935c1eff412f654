namespace Overlay.Simulation.Linearizability;

/// <summary>What one client alone would see: the object's sequential specification.</summary>
internal interface ISequentialModel<TState, TInput, TOutput>
    where TState : IEquatable<TState>
{
    TState Initial { get; }

    /// <summary>Whether <paramref name="input"/> in <paramref name="state"/> may answer <paramref name="output"/>, and the state after it.</summary>
    /// <param name="answered">False: the output is unknown, every outcome of the input is allowed.</param>
    bool TryStep(TState state, in TInput input, in TOutput output, bool answered, out TState next);
}
