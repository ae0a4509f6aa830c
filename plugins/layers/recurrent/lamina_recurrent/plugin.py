"""Recurrent layers and cells by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def layers():
    return {
        "CuDNNGRU": "lamina_recurrent.cudnn:CuDNNGRU",
        "CuDNNLSTM": "lamina_recurrent.cudnn:CuDNNLSTM",
        "GRU": "lamina_recurrent.gru:GRU",
        "GRUCell": "lamina_recurrent.gru:GRUCell",
        "LSTM": "lamina_recurrent.lstm:LSTM",
        "LSTMCell": "lamina_recurrent.lstm:LSTMCell",
        "RNN": "lamina_recurrent.rnn:RNN",
        "SimpleRNN": "lamina_recurrent.simple_rnn:SimpleRNN",
        "SimpleRNNCell": "lamina_recurrent.simple_rnn:SimpleRNNCell",
        "StackedRNNCells": "lamina_recurrent.stacked:StackedRNNCells",
    }
